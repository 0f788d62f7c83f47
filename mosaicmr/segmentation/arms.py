"""Training of segmenters on real, augmented and synthetic slices, to see whether synthetic slices raise Dice.

Every arm starts from the same weights for a seed and takes the same number of steps with the same batch size, so that
arms differ only in the slices that they see. Validation patients choose among a few moments of training; test
patients have no part in it.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from monai.losses import DiceCELoss
from torch import nn

from mosaicmr.cohort.labels import rank_classes
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.errors import InputError
from mosaicmr.monitoring.journal import Journal
from mosaicmr.seeds import derive_seed, numpy_generator
from mosaicmr.segmentation.augmentation import Augmentation, classical_augmentation
from mosaicmr.segmentation.references import read_slices
from mosaicmr.segmentation.scores import mean_dice
from mosaicmr.segmentation.segmenter import build_segmenter, segment_references

logger = logging.getLogger(__name__)

CHECKPOINTS = 4  # moments of training among which validation patients choose


@dataclass(frozen=True)
class Arm:
    """The training data of a segmenter."""

    real: bool
    synthetic: bool
    classical: bool


ARMS = {
    "real": Arm(real=True, synthetic=False, classical=False),
    "real+classical": Arm(real=True, synthetic=False, classical=True),
    "real+synthetic": Arm(real=True, synthetic=True, classical=False),
    "synthetic": Arm(real=False, synthetic=True, classical=False),
}


@dataclass(frozen=True)
class SegmenterSettings:
    """Config keys `evaluation.segmenter`, shared by all arms."""

    steps: int
    batch_size: int
    learning_rate: float
    channels: tuple[int, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Sets:
    """References (see `references`) to the slices that training may see; an arm uses `real`, `synthetic` or both."""

    real: pd.DataFrame
    synthetic: pd.DataFrame
    validation: pd.DataFrame


@dataclass(frozen=True)
class Task:
    """The slices that are segmented, whose header has the classes that count; the run's seed, and the device."""

    header: SliceHeader
    seed: int
    device: torch.device


def training_batches(sets: Sets, arm: Arm, batch_size: int, generator: np.random.Generator) -> Iterator[pd.DataFrame]:
    """Yield references for one batch after another, without end; an arm with both kinds takes half of each.

    Each kind is gone through in random order, all of it before any slice comes again. An odd batch has one real slice
    more.
    """
    shares = [(sets.real, arm.real), (sets.synthetic, arm.synthetic)]
    sources = [references for references, used in shares if used]
    sizes = [(batch_size + 1) // 2, batch_size // 2] if len(sources) == 2 else [batch_size]
    streams = [_shuffled(len(references), generator) for references in sources]
    while True:
        picks = [
            references.iloc[[next(stream) for _ in range(size)]]
            for references, stream, size in zip(sources, streams, sizes, strict=True)
        ]
        yield pd.concat(picks, ignore_index=True)


def _shuffled(count: int, generator: np.random.Generator) -> Iterator[int]:
    while True:
        yield from generator.permutation(count)


def train_segmenter(
    name: str, sets: Sets, settings: SegmenterSettings, task: Task, journal: Journal | None = None
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Train the arm called `name` once for each of the settings' seeds.

    Returns the weights, named `seed<seed>.<layer>`, and the curve: seed, step, loss, learning_rate, validation_dsc (NaN
    but at the moments that were compared), chosen. Raises InputError where an arm has no slices or the loss is not
    finite.
    """
    arm = ARMS[name]
    if (arm.real and sets.real.empty) or (arm.synthetic and sets.synthetic.empty):
        raise InputError(
            f"The segmenter of arm '{name}' has {len(sets.real)} real and {len(sets.synthetic)} synthetic slices to "
            "train on: it needs some of each kind it uses; add patients or raise layouts.slices."
        )
    journal = journal or Journal(f"segmenter {name}")
    journal.begin(settings.steps * len(settings.seeds))
    weights, curves = {}, []
    for seed in settings.seeds:
        best, curve = _train_once(arm, sets, settings, task, seed, journal)
        weights |= {f"seed{seed}.{layer}": array for layer, array in best.items()}
        curves.append(curve.assign(seed=seed))
    return weights, pd.concat(curves, ignore_index=True)


def _train_once(
    arm: Arm, sets: Sets, settings: SegmenterSettings, task: Task, seed: int, journal: Journal
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    labels = ("segmenter", seed)
    start = derive_seed(task.seed, *labels, "weights")
    model = build_segmenter(task.header, settings.channels, start).to(task.device)
    optimizer = torch.optim.AdamW(model.parameters(), settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    batches = training_batches(sets, arm, settings.batch_size, numpy_generator(task.seed, *labels, "batches"))
    augment = classical_augmentation(task.header.pixel_size, task.seed, *labels, "augment") if arm.classical else None
    compared = _compared_steps(settings.steps)
    best, best_dice, chosen, rows = {}, -math.inf, 0, []
    for step in range(1, settings.steps + 1):
        rate = schedule.get_last_lr()[0]
        loss = _train_step(model, optimizer, next(batches), augment, task)
        if not math.isfinite(loss):
            raise InputError(
                f"The segmenter's loss is {loss} at step {step}: evaluation.segmenter.learning_rate is "
                f"{settings.learning_rate:g}, try a smaller one."
            )
        schedule.step()
        reached = math.nan
        if step in compared:
            reached = _validation_dice(model, sets.validation, task)
            if math.isnan(reached) or reached > best_dice:
                best, best_dice, chosen = _copy_weights(model), reached, step
        rows.append({"step": step, "loss": loss, "learning_rate": rate, "validation_dsc": reached})
        _follow(journal, seed, settings, rows[-1])
    logger.info("seed %d: step %d of %d chosen, validation DSC %.3f", seed, chosen, settings.steps, best_dice)
    return best, pd.DataFrame(rows).assign(chosen=lambda curve: curve["step"] == chosen)


def _follow(journal: Journal, seed: int, settings: SegmenterSettings, row: dict[str, float]) -> None:
    """Report a step of one seed's training, as one of the steps of all of them."""
    step = row["step"]
    scalars = {f"{name}/seed{seed}": row[name] for name in ("loss", "learning_rate", "validation_dsc")}
    measured = {tag: value for tag, value in scalars.items() if not math.isnan(value)}
    journal.report(settings.seeds.index(seed) * settings.steps + step, row["loss"], measured, step)


def _compared_steps(steps: int) -> set[int]:
    # The first moments are never the best, so comparing starts half-way.
    return {round(step) for step in np.linspace(steps / 2, steps, CHECKPOINTS)} | {steps}


def _train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    references: pd.DataFrame,
    augment: Augmentation | None,
    task: Task,
) -> float:
    images, labels = read_slices(references)
    if augment is not None:
        images, labels = augment(images, labels)
    # Dice over the whole batch: a class that one slice lacks would otherwise pull its gradient about.
    criterion = DiceCELoss(to_onehot_y=True, softmax=True, include_background=False, batch=True)
    logits = model(images.to(task.device))
    channels = torch.from_numpy(rank_classes(labels.numpy(), task.header.classes)).long()
    loss = criterion(logits, channels[:, None].to(task.device))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _validation_dice(model: nn.Module, validation: pd.DataFrame, task: Task) -> float:
    """Mean over patients of the mean DSC over classes; NaN without validation patients: the last moment is taken."""
    values = []
    for _, references in validation.groupby("patient", sort=False):
        found, truth = segment_references(model, references, task.header.classes)
        values.append(mean_dice(found, truth, task.header.classes))
    return float(np.mean(values)) if values else math.nan


def _copy_weights(model: nn.Module) -> dict[str, np.ndarray]:
    return {layer: tensor.detach().cpu().numpy().copy() for layer, tensor in model.state_dict().items()}

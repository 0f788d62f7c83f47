"""Training of the reader that finds, in a prompt's states, how each tumour class looks in each modality.

Its training set is made of prompts alone. Their templates are ours, so any number can be written.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from mosaicmr.cohort.labels import TUMOUR_CLASSES
from mosaicmr.diffusion.look_reader import SIZES, LookReader
from mosaicmr.diffusion.text import TextEncoder, embed_prompts
from mosaicmr.monitoring.journal import Journal
from mosaicmr.partition.domains import WHOLE
from mosaicmr.pretraining.resuming import train_resumably
from mosaicmr.prompts.looks import SHADES, TEXTURES, Look
from mosaicmr.prompts.templates import SliceFacts, looks_of, write_prompt
from mosaicmr.seeds import numpy_generator, torch_generator
from mosaicmr.stage import progress
from mosaicmr.training.loop import Trainee
from mosaicmr.training.optimizers import OneOptimizer

logger = logging.getLogger(__name__)

HELD_OUT = 0.1  # of the prompts, to measure the reader on
NO_LOOK = 0.15  # probability that a prompt says nothing of a class or, apart from that, of a class in one modality
ENCODED = 512  # prompts between two reports
WARMUP = 20  # steps


@dataclass(frozen=True)
class ReaderSettings:
    """Number of prompts to write, and the schedule of the reader's training on them."""

    prompts: int
    steps: int
    batch_size: int
    learning_rate: float
    checkpoint_every: int


@dataclass(frozen=True)
class FittedReader:
    """A reader, and its accuracy on prompts that it never saw.

    brightness, texture: accuracy from 0 to 1 where the prompt says something of a class in a modality.
    """

    reader: LookReader
    brightness: float
    texture: float


def random_looks(classes: Sequence[int], generator: np.random.Generator, modalities: Sequence[str]) -> tuple[Look, ...]:
    """Looks drawn evenly for the tumour classes of a slice in each modality, some of them left out."""
    looks = []
    for tumour_class in classes:
        said = generator.random() >= NO_LOOK
        for modality in modalities:
            brightness, texture = (
                int(generator.integers(len(SHADES))),
                int(generator.integers(len(TEXTURES))),
            )
            if said and generator.random() >= NO_LOOK:
                looks.append(Look(tumour_class, modality, brightness, texture))
    return tuple(looks)


def draw_labelled_prompt(generator: np.random.Generator, modalities: Sequence[str]) -> tuple[str, np.ndarray]:
    """A prompt on facts drawn at random, and the looks that it names.

    The looks are int64 [T, M, 2]: 0 where the prompt says nothing, else 1 + the word's index in SHADES and in TEXTURES.
    """
    present = [tumour.value for tumour in TUMOUR_CLASSES if generator.random() < 0.7]
    area = float(np.exp(generator.uniform(3.0, 9.0))) if present else 0.0
    side = generator.choice(["left", "right", "midline"])
    position = generator.choice(["anterior", "central", "posterior"])
    facts = SliceFacts(
        height=generator.random(),
        pixel_size=float(generator.choice([0.5, 1.0, 1.5, 2.0, 3.0])),
        tumour_area=area,
        side=str(side) if present else "",
        position=str(position) if present else "",
        classes=tuple(present),
        looks=random_looks(present, generator, modalities),
        random_contrast=generator.random() < 0.5,
    )
    everything = generator.random() < 0.5
    asked = [modality for modality in modalities if everything or generator.random() < 0.5] or list(modalities)
    names = [tumour.name for tumour in TUMOUR_CLASSES if tumour.value in present] + ["healthy1", "healthy2"]
    domain = WHOLE if generator.random() < 0.6 else str(generator.choice(names))
    said = np.zeros((len(TUMOUR_CLASSES), len(modalities), 2), np.int64)
    values = [tumour.value for tumour in TUMOUR_CLASSES]
    for look in looks_of(domain, facts, asked):
        said[values.index(look.tumour_class), modalities.index(look.modality)] = 1 + look.brightness, 1 + look.texture
    return write_prompt(domain, facts, asked), said


def fit_reader(
    encode_text: TextEncoder,
    settings: ReaderSettings,
    modalities: Sequence[str],
    seed: int,
    checkpoint: Path | None = None,
    journal: Journal | None = None,
) -> FittedReader:
    """Train a reader of `modalities` on prompts written for it; resumes from `checkpoint`.

    Raises InputError if the loss is no longer finite.
    """
    generator = numpy_generator(seed, "prompt reader")
    drawn = [draw_labelled_prompt(generator, modalities) for _ in range(settings.prompts)]
    parts = [drawn[start : start + ENCODED] for start in range(0, len(drawn), ENCODED)]
    encoded = []
    for part in progress(parts, len(parts), "encoding prompts"):
        states, mask = embed_prompts(encode_text, [prompt for prompt, _ in part])
        encoded.append((states[1:], mask[1:]))  # without the empty prompt
    states, mask = (torch.cat(arrays) for arrays in zip(*encoded, strict=True))
    said = torch.from_numpy(np.stack([answers for _, answers in drawn]))
    held_out = max(1, round(HELD_OUT * settings.prompts))
    reader = LookReader(states.shape[-1], len(modalities))
    examples = states[held_out:], mask[held_out:], said[held_out:]
    _train(reader, examples, settings, seed, checkpoint, journal or Journal("reader"))
    brightness, texture = _accuracy(reader, states[:held_out], mask[:held_out], said[:held_out])
    logger.info("the reader is right on %.3f of brightness words, %.3f of texture words", brightness, texture)
    return FittedReader(reader, brightness, texture)


def _train(
    reader: LookReader,
    examples: tuple[Tensor, Tensor, Tensor],
    settings: ReaderSettings,
    seed: int,
    checkpoint: Path | None,
    journal: Journal,
) -> None:
    """Train a reader from random weights on states, mask and answers; changes its buffers."""
    states, mask, said = examples
    generator = torch_generator(seed, "prompt reader")
    weights = {name: nn.Parameter(_start(name, buffer, generator)) for name, buffer in reader.named_buffers()}
    # All at once, so that a resumed training sees the batches that it would have seen.
    batches = torch.randint(len(states), (settings.steps, settings.batch_size), generator=generator)

    def loss(done: int) -> tuple[Tensor, dict[str, float]]:
        rows = batches[done]
        longest = int(mask[rows].sum(1).max())
        logits = functional_call(reader, weights, (states[rows, :longest].float(), mask[rows, :longest]))
        questions = zip(logits.split(SIZES, -1), said[rows].unbind(-1), strict=True)
        return sum(_loss(*question) for question in questions), {}

    trainee = Trainee(
        title="the base's prompt reader",
        weights=list(weights.values()),
        optimizer=OneOptimizer(torch.optim.AdamW(weights.values(), settings.learning_rate)),
        tensors=weights,
        loss=loss,
    )
    train_resumably("reader", trainee, settings, WARMUP, seed, checkpoint, journal)
    reader.load_state_dict({name: weight.detach() for name, weight in weights.items()})


def _start(name: str, buffer: Tensor, generator: torch.Generator) -> Tensor:
    """Random weights whose size keeps the variance of their input; a bias starts at 0."""
    if name == "bias":
        return torch.zeros_like(buffer)
    return torch.randn(buffer.shape, generator=generator) / math.sqrt(buffer.shape[-1])


def _loss(logits: Tensor, answers: Tensor) -> Tensor:
    """Cross-entropy of logits [.., a] and answers int64 [..]; said and unsaid answers count equally."""
    errors = F.cross_entropy(logits.flatten(0, -2), answers.flatten(), reduction="none")
    asked = (answers.flatten() > 0).float()
    shares = (asked, 1 - asked)
    return sum((errors * share).sum() / share.sum().clamp_min(1) for share in shares)


@torch.no_grad()
def _accuracy(reader: LookReader, states: Tensor, mask: Tensor, said: Tensor) -> tuple[float, float]:
    batches = [slice(start, start + ENCODED) for start in range(0, len(states), ENCODED)]
    logits = torch.cat([reader(states[rows].float(), mask[rows]) for rows in batches])
    found = torch.stack([answers.argmax(-1) for answers in logits.split(SIZES, -1)], -1)
    right = (found == said)[said[..., 0] > 0].double().mean(0)
    return float(right[0]), float(right[1])

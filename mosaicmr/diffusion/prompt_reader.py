"""Training the reader that finds, in a prompt's states, how each tumour class looks in each modality.

Its training set is made of prompts alone: their templates are ours, so there are as many as one likes.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mosaicmr.cohort.labels import TUMOUR_CLASSES
from mosaicmr.diffusion.appearance import LEVELS, TEXTURES, Look
from mosaicmr.diffusion.prompts import WHOLE, SliceFacts, looks_of, write_prompt
from mosaicmr.diffusion.regional_unet import ANSWERS, RegionalUNet, look_logits
from mosaicmr.diffusion.text import TextEncoder, embed_prompts
from mosaicmr.diffusion.training import cosine_rate, set_rate
from mosaicmr.errors import InputError
from mosaicmr.seeds import numpy_generator, torch_generator
from mosaicmr.stage import progress

logger = logging.getLogger(__name__)

HELD_OUT = 0.1  # of the prompts, to measure the reader on
NO_LOOK = 0.15  # probability that nothing is said of a class or, apart from that, of it in one modality
ENCODED = 512  # prompts between two reports
BRIGHTNESS = len(LEVELS) + 1


@dataclass(frozen=True)
class ReaderSettings:
    """How many prompts are written, and the schedule of the reader's training on them."""

    prompts: int
    steps: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True)
class PromptReader:
    """What `look_logits` takes (float32, see there), and how often it is right on prompts that it never saw.

    brightness, texture: accuracy from 0 to 1 where the prompt says something of a class in a modality.
    """

    attention: Tensor
    values: Tensor
    bias: Tensor
    brightness: float
    texture: float

    def install(self, unet: RegionalUNet) -> None:
        """Give a U-Net this reader; changes `unet`."""
        for name in ("attention", "values", "bias"):
            getattr(unet, f"reader_{name}").copy_(getattr(self, name))


def random_looks(classes: Sequence[int], generator: np.random.Generator, modalities: Sequence[str]) -> tuple[Look, ...]:
    """Looks drawn evenly for the tumour classes of a slice in each modality, some of them left out."""
    looks = []
    for tumour_class in classes:
        said = generator.random() >= NO_LOOK
        for modality in modalities:
            level, texture = int(generator.integers(len(LEVELS))), int(generator.integers(len(TEXTURES)))
            if said and generator.random() >= NO_LOOK:
                looks.append(Look(tumour_class, modality, level, texture))
    return tuple(looks)


def draw_labelled_prompt(generator: np.random.Generator, modalities: Sequence[str]) -> tuple[str, np.ndarray]:
    """A prompt on facts drawn at random, and what it says: int64 [T, M, 2], 0 for nothing, else 1 + the word's index
    in LEVELS and in TEXTURES."""
    present = [tumour.value for tumour in TUMOUR_CLASSES if generator.random() < 0.7]
    area = float(np.exp(generator.uniform(3.0, 9.0))) if present else 0.0
    side = generator.choice(["left", "right", "midline"])
    position = generator.choice(["anterior", "central", "posterior"])
    facts = SliceFacts(
        level=generator.random(),
        pixel_size=float(generator.choice([0.5, 1.0, 1.5, 2.0, 3.0])),
        tumour_area=area,
        side=str(side) if present else "",
        position=str(position) if present else "",
        classes=tuple(present),
        looks=random_looks(present, generator, modalities),
    )
    asked = [modality for modality in modalities if generator.random() < 0.8] or list(modalities)
    names = [tumour.name for tumour in TUMOUR_CLASSES if tumour.value in present] + ["healthy1", "healthy2"]
    domain = WHOLE if generator.random() < 0.6 else str(generator.choice(names))
    said = np.zeros((len(TUMOUR_CLASSES), len(modalities), 2), np.int64)
    values = [tumour.value for tumour in TUMOUR_CLASSES]
    for look in looks_of(domain, facts, asked):
        said[values.index(look.tumour_class), modalities.index(look.modality)] = 1 + look.level, 1 + look.texture
    return write_prompt(domain, facts, asked), said


def fit_reader(
    encode_text: TextEncoder, settings: ReaderSettings, modalities: Sequence[str], seed: int
) -> PromptReader:
    """Train a reader of `modalities` on prompts written for it. Raises InputError if the loss is no longer finite."""
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
    weights = _train(states[held_out:], mask[held_out:], said[held_out:], settings, seed)
    brightness, texture = _accuracy(weights, states[:held_out], mask[:held_out], said[:held_out])
    logger.info("the reader is right on %.3f of brightness words, %.3f of texture words", brightness, texture)
    return PromptReader(*weights, brightness, texture)


def _train(
    states: Tensor, mask: Tensor, said: Tensor, settings: ReaderSettings, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    kinds, width = said.shape[1:3], states.shape[-1]
    generator = torch_generator(seed, "prompt reader")
    attention = nn.Parameter(torch.randn(*kinds, width, generator=generator) / width)
    values = nn.Parameter(torch.randn(*kinds, ANSWERS, width, generator=generator) / width)
    bias = nn.Parameter(torch.zeros(*kinds, ANSWERS))
    optimizer = torch.optim.AdamW([attention, values, bias], settings.learning_rate)
    steps = range(settings.steps)
    for step in progress(steps, len(steps), "training the prompts' reader"):
        set_rate(optimizer, cosine_rate(step, settings.steps, settings.learning_rate, warmup=20))
        rows = torch.randint(len(states), (settings.batch_size,), generator=generator)
        longest = int(mask[rows].sum(1).max())
        logits = look_logits(states[rows, :longest].float(), mask[rows, :longest], attention, values, bias)
        answers = said[rows]
        loss = _loss(logits[..., :BRIGHTNESS], answers[..., 0]) + _loss(logits[..., BRIGHTNESS:], answers[..., 1])
        if not math.isfinite(loss.item()):
            raise InputError(
                f"Training of the prompts' reader gave a loss of {loss.item()} in step {step + 1} with "
                f"pretrain.reader.learning_rate {settings.learning_rate:g}: expected a finite number; lower it."
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return attention.detach(), values.detach(), bias.detach()


def _loss(logits: Tensor, answers: Tensor) -> Tensor:
    """Cross-entropy [.., a] against int64 [..], where something was said and where nothing was at equal weight."""
    errors = F.cross_entropy(logits.flatten(0, -2), answers.flatten(), reduction="none")
    asked = (answers.flatten() > 0).float()
    shares = (asked, 1 - asked)
    return sum((errors * share).sum() / share.sum().clamp_min(1) for share in shares)


@torch.no_grad()
def _accuracy(weights: tuple[Tensor, ...], states: Tensor, mask: Tensor, said: Tensor) -> tuple[float, float]:
    batches = [slice(start, start + ENCODED) for start in range(0, len(states), ENCODED)]
    logits = torch.cat([look_logits(states[rows].float(), mask[rows], *weights) for rows in batches])
    found = torch.stack([logits[..., :BRIGHTNESS].argmax(-1), logits[..., BRIGHTNESS:].argmax(-1)], -1)
    right = (found == said)[said[..., 0] > 0].double().mean(0)
    return float(right[0]), float(right[1])

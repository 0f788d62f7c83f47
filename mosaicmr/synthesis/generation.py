"""From layouts and prompts to slices, by the `independent` and `single` schemes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.codec import Codec
from mosaicmr.diffusion.denoiser import Denoiser
from mosaicmr.diffusion.sampling import (
    GUIDANCE_RESCALE,
    Condition,
    Predictor,
    add_noise,
    ddim_schedule,
    draw_noise,
    guide,
    remaining_timesteps,
    sample,
)
from mosaicmr.partition.domains import WHOLE
from mosaicmr.stage import progress
from mosaicmr.synthesis.inputs import Embeddings, Layouts

BATCH = 16  # samples denoised at once


@dataclass(frozen=True)
class Start:
    """The start of sampling.

    images: float16 [n, M, H, W] in [0, 1], one a layout, noised to `strength` (0 keeps them, 1 forgets them); None for
    pure noise.
    """

    images: np.ndarray | None = None
    strength: float = 1.0

    @classmethod
    def of(cls, variant: Mapping[str, Any], layouts: Layouts) -> "Start":
        """The start that a variant of the config asks for: `noise`, or `source` at its `strength`."""
        return cls(layouts.source, variant["strength"]) if variant["start"] == "source" else cls()


@dataclass(frozen=True)
class Sampler:
    """The parts that all slices and experts of a variant share."""

    codec: Codec
    schedule: DDIMScheduler
    embeddings: Embeddings
    guidance_scale: float
    share_noise: bool
    seed: int
    device: torch.device

    @classmethod
    def of(cls, base: Base, embeddings: Embeddings, settings: Mapping[str, Any], seed: int) -> "Sampler":
        """A base's codec and noise schedule, with steps, guidance_scale and share_noise as in the configuration."""
        schedule = ddim_schedule(base.schedule, settings["steps"])
        scale, share = settings["guidance_scale"], settings["share_noise"]
        return cls(base.codec, schedule, embeddings, scale, share, seed, base.device)

    def noise_label(self, expert: str) -> str:
        """With shared noise, all experts of a slice (and all variants of it) start from the same noise."""
        return "" if self.share_noise else expert

    def predictor(self, denoiser: Denoiser, expert: str, layouts: Layouts, rows: np.ndarray) -> Predictor:
        """The guided expert for some rows of the layouts; unguided means the empty prompt and a zero layout."""
        channels = layouts.channels(self.codec.downsampling, rows)
        asked = self._condition(layouts.prompts(expert, rows), channels)
        nothing = self._condition([""] * len(rows), torch.zeros_like(channels))
        return guide(denoiser, asked, nothing, self.guidance_scale, GUIDANCE_RESCALE)

    def _condition(self, prompts: list[str], channels: Tensor) -> Condition:
        return Condition(*(part.to(self.device) for part in (*self.embeddings.of(prompts), channels)))

    # A slice at a time: at 512 pixels the autoencoder needs gigabytes a slice, and a slice's bytes then cannot depend
    # on its neighbours in the batch.
    def encode(self, images: np.ndarray) -> Tensor:
        """The posterior means of slices float16 [n, M, H, W]: latents float32 [n, C, h, w]."""
        pixels = torch.from_numpy(images).float().to(self.device)
        return torch.cat([self.codec.encode(each[None])[0] for each in pixels])

    def decode(self, latents: Tensor) -> np.ndarray:
        """The slices of latents [n, C, h, w]: float16 [n, M, H, W] in [0, 1]."""
        images = torch.cat([self.codec.decode(each[None]) for each in latents])
        return images.clamp(0, 1).cpu().numpy().astype(np.float16)


def expert_loader(adapters: Iterable[str | Path], base: Base) -> Callable[[str], Denoiser]:
    """A function that loads an expert of a base by name. adapters: files in the experts' folders."""
    folders = {Path(file).parent.name: Path(file).parent for file in adapters}
    return lambda name: Denoiser.load(base, folders[name])


def draw_slices(
    sampler: Sampler,
    layouts: Layouts,
    rows: np.ndarray,
    predictor_of: Callable[[np.ndarray], Predictor],
    start: Start,
    noise_label: str,
) -> np.ndarray:
    """Draw the slices of some rows of the layouts, `BATCH` at once.

    predictor_of: makes the predictor for a part of `rows`. noise_label: says which noise to start from.
    Returns float16 [k, M, H, W] in [0, 1]; where the strength leaves no step to run, the start itself.
    """
    timesteps = remaining_timesteps(sampler.schedule, start.strength)
    if start.images is not None and not timesteps:
        return start.images[rows]
    drawn = np.empty((len(rows), *layouts.source.shape[1:]), np.float16)
    for first in range(0, len(rows), BATCH):
        part = rows[first : first + BATCH]
        latents = _first_latents(sampler, layouts, part, start, noise_label, timesteps[0])
        what = f"denoising slices {first + 1} to {first + len(part)} of {len(rows)}, steps"
        steps = progress(timesteps, len(timesteps), what)
        latents = sample(sampler.schedule, predictor_of(part), latents, steps)
        drawn[first : first + BATCH] = sampler.decode(latents)
    return drawn


def _first_latents(
    sampler: Sampler, layouts: Layouts, rows: np.ndarray, start: Start, noise_label: str, timestep: int
) -> Tensor:
    """Latents [k, C, h, w] to depart from: the noised start, or noise alone."""
    modalities, height, width = layouts.source.shape[1:]
    codec = sampler.codec
    shape = (modalities * codec.channels, height // codec.downsampling, width // codec.downsampling)
    noise = draw_noise(sampler.seed, layouts.identifiers[rows], noise_label, shape).to(sampler.device)
    if start.images is None:
        return noise
    return add_noise(sampler.schedule, sampler.encode(start.images[rows]), noise, timestep)


def render_domains(
    sampler: Sampler, layouts: Layouts, load_expert: Callable[[str], Denoiser], start: Start, renderings: np.ndarray
) -> None:
    """Let the expert of each domain draw every slice in which the domain occurs, independently of the others.

    Each draws the whole slice (the latents of its domain depend on their surroundings, and blending needs pixels beyond
    the border); what lies outside its domain is dropped by the merge. One expert is in memory at a time.
    renderings: float16 [n, D, M, H, W], zeros, to be filled with values in [0, 1]; a domain that a slice does not have
    stays 0. They are D times a batch of slices, so the caller decides where they live.
    """
    for index, domain in enumerate(progress(layouts.names, len(layouts.names), "experts")):
        rows = layouts.rows_with(domain)
        if rows.size:
            renderings[rows, index] = _draw_with(sampler, layouts, domain, load_expert(domain), start)


def synthesize_slices(sampler: Sampler, layouts: Layouts, whole: Denoiser, start: Start) -> np.ndarray:
    """Let the expert `whole` draw every slice; float16 [n, M, H, W] in [0, 1], 0 outside the layout's brain."""
    return keep_brain(_draw_with(sampler, layouts, WHOLE, whole, start), layouts.domains)


def denoise_merged(
    sampler: Sampler, layouts: Layouts, whole: Denoiser, merged: np.ndarray, strength: float
) -> np.ndarray:
    """Noise merged slices a little and let the expert `whole` denoise them, which repairs the traces of the merge.

    merged: float16 [n, M, H, W] in [0, 1]. strength: 0 leaves them as they are, 1 forgets them.
    Returns float16 [n, M, H, W] in [0, 1], 0 outside the layout's brain.
    """
    # Noise of its own: the noise that the renderings were made from is correlated with them.
    drawn = _draw_with(sampler, layouts, WHOLE, whole, Start(merged, strength), "merged")
    return keep_brain(drawn, layouts.domains)


def _draw_with(
    sampler: Sampler, layouts: Layouts, expert: str, denoiser: Denoiser, start: Start, noise_label: str | None = None
) -> np.ndarray:
    """The slices [k, M, H, W] in which one expert has something to draw, drawn by it alone."""
    label = sampler.noise_label(expert) if noise_label is None else noise_label
    predictor_of = partial(sampler.predictor, denoiser, expert, layouts)
    return draw_slices(sampler, layouts, layouts.rows_with(expert), predictor_of, start, label)


def keep_brain(images: np.ndarray, domains: np.ndarray) -> np.ndarray:
    """Set what lies outside the layout's brain to 0, without a margin.

    Real slices are skull-stripped: exactly 0 outside their brain mask. An exported pair must agree in the same way,
    and a rim of half-decoded pixels around the brain would tell a synthetic slice from a real one.
    """
    return np.where(domains[:, None] > 0, images, np.float16(0))

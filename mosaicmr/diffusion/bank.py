"""The bank of simulated slices that pretraining reads: made once, in shards, so that training never waits for it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mosaicmr.cohort.anatomy import Anatomy
from mosaicmr.diffusion.simulation import simulate_slice
from mosaicmr.io import load_arrays, save_arrays
from mosaicmr.seeds import torch_generator
from mosaicmr.stage import progress


@dataclass(frozen=True)
class BankSettings:
    """What a bank holds: `shards` files of `slices` slices of `size` pixels of `pixel_size` mm."""

    shards: int
    slices: int
    size: int
    pixel_size: float
    free_contrast: float


def simulate_shard(anatomy: Anatomy, settings: BankSettings, seed: int, index: int) -> dict[str, np.ndarray]:
    """Arrays of shard `index`.

    Returns images uint8 [n, 4, H, W] (0 to 255 for [0, 1]), labels and brain uint8 [n, H, W], level float32 [n].
    Slices in which less than a tenth of the picture is brain are drawn again: they teach nothing.
    """
    generator = torch_generator(seed, "bank", settings.pixel_size, index)
    slices = []
    while len(slices) < settings.slices:
        one = simulate_slice(anatomy, generator, settings.size, settings.pixel_size, settings.free_contrast)
        if one.brain.float().mean() > 0.1:
            slices.append(one)
    return {
        "images": np.stack([np.round(one.images.numpy() * 255).astype(np.uint8) for one in slices]),
        "labels": np.stack([one.labels.numpy() for one in slices]),
        "brain": np.stack([one.brain.numpy().astype(np.uint8) for one in slices]),
        "level": np.array([one.level for one in slices], np.float32),
    }


def build_bank(anatomy: Anatomy, settings: BankSettings, seed: int, folder: Path) -> list[Path]:
    """Make the shards that `folder` lacks, and return the paths of all."""
    paths = [folder / f"{settings.pixel_size:g}mm-{index:03d}.safetensors" for index in range(settings.shards)]
    for index, path in enumerate(progress(paths, len(paths), f"simulating slices at {settings.pixel_size:g} mm")):
        if not path.exists():
            save_arrays(path, simulate_shard(anatomy, settings, seed, index))
    return paths


def load_bank(paths: list[Path], names: tuple[str, ...] = ("images",)) -> dict[str, np.ndarray]:
    """The named arrays of several shards, one after the other."""
    shards = [load_arrays(path, names) for path in paths]
    return {name: np.concatenate([shard[name] for shard in shards]) for name in names}

"""Banks of simulated slices for pretraining: made once, in shards, so that no training waits for slices."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import numpy as np
import torch

from mosaicmr.cohort.extraction import SliceSettings, cut_slices
from mosaicmr.cohort.subject import Subject
from mosaicmr.cohort.volumes import Volumes
from mosaicmr.errors import InputError
from mosaicmr.io import load_arrays, save_arrays
from mosaicmr.seeds import derive_seed, torch_generator
from mosaicmr.simulation.anatomy import Anatomy
from mosaicmr.simulation.phantom import SCHEME, simulate_patient
from mosaicmr.simulation.random_slice import SimulatedSlice, simulate_slice
from mosaicmr.stage import progress

LEAST_BRAIN = 0.1  # of a picture: slices with less brain teach nothing
MOST_DRAWN = 20  # slices drawn for each slice that is kept, at most
TUMOUR_GRID = 4.0  # mm: coarse, since these patients are only sliced
SLICE_SPACING, LEAST_TUMOUR, SLICES_PER_PATIENT = 6.0, 25.0, 12  # mm, mm², and the most slices of a patient


@dataclass(frozen=True)
class BankSettings:
    """A bank: `shards` files of `slices` slices of `size` pixels of `pixel_size` mm.

    source: 'slices', each of a head of its own, drawn in two dimensions, or 'patients', cut from simulated patients as
    in a phantom cohort. free_contrast: of 'slices', the probability that a modality's contrast is random. trains: the
    trainings that see them: 'autoencoder', 'unet', 'refinement' of the U-Net, or several.
    """

    source: str
    shards: int
    slices: int
    size: int
    pixel_size: float
    free_contrast: float
    trains: tuple[str, ...]

    @property
    def random_contrast(self) -> bool:
        """Whether contrast varies more than between scanners."""
        return self.source == "slices"


def simulate_shard(anatomy: Anatomy, settings: BankSettings, seed: int, index: int) -> dict[str, np.ndarray]:
    """Arrays of shard `index`.

    Returns images uint8 [n, 4, H, W] (0 to 255 for [0, 1]), labels and brain uint8 [n, H, W], height float32 [n].
    Raises InputError if hardly any slice of this size shows enough brain.
    """
    kept: list[SimulatedSlice] = []
    draw = _slices_of_patients if settings.source == "patients" else _single_slices
    most = MOST_DRAWN * settings.slices
    for one in islice(draw(anatomy, settings, seed, index), most):
        if one.brain.float().mean() > LEAST_BRAIN:
            kept.append(one)
        if len(kept) == settings.slices:
            break
    else:
        raise InputError(
            f"Of {most} simulated slices of {settings.size} pixels of {settings.pixel_size:g} mm, {len(kept)} show "
            f"brain on more than a tenth of the picture: expected {settings.slices}; lower 'size' or 'pixel_size' "
            "of this bank in 'pretrain.banks'."
        )
    return {
        "images": np.stack([np.round(one.images.numpy() * 255).astype(np.uint8) for one in kept]),
        "labels": np.stack([one.labels.numpy() for one in kept]),
        "brain": np.stack([one.brain.numpy().astype(np.uint8) for one in kept]),
        "height": np.array([one.height for one in kept], np.float32),
    }


def _single_slices(anatomy: Anatomy, settings: BankSettings, seed: int, index: int) -> Iterator[SimulatedSlice]:
    generator = torch_generator(seed, "bank", settings.size, settings.pixel_size, index)
    while True:
        yield simulate_slice(anatomy, generator, settings.size, settings.pixel_size, settings.free_contrast)


def _slices_of_patients(anatomy: Anatomy, settings: BankSettings, seed: int, index: int) -> Iterator[SimulatedSlice]:
    cutting = SliceSettings(
        settings.size, settings.pixel_size, SLICE_SPACING, LEAST_TUMOUR, SLICES_PER_PATIENT, (0.5, 99.5)
    )
    for number in count():
        yield from patient_slices(anatomy, cutting, derive_seed(seed, "bank", "patients", index, number))


def patient_slices(anatomy: Anatomy, settings: SliceSettings, seed: int) -> list[SimulatedSlice]:
    """The slices of a new simulated patient, cut and normalised as those of a cohort."""
    generator = torch_generator(seed, "patient")
    phantom = simulate_patient(anatomy, generator, settings.pixel_size, TUMOUR_GRID)
    images = np.stack(list(phantom.images.values())).astype(np.float32)
    volumes = Volumes(images, phantom.labels, images[0] > 0, (phantom.voxel_size,) * 3)
    subject = Subject("simulated", "simulated", dict.fromkeys(phantom.images, Path("simulated")), Path("simulated"))
    cut = cut_slices(volumes, subject, SCHEME, settings)
    arrays = zip(cut.images, cut.labels, cut.brain, cut.table["height"], strict=True)
    return [
        SimulatedSlice(torch.from_numpy(image).float(), torch.from_numpy(labels), torch.from_numpy(brain) > 0, height)
        for image, labels, brain, height in arrays
    ]


def build_bank(anatomy: Anatomy, settings: BankSettings, seed: int, folder: Path) -> list[Path]:
    """Make the shards that `folder` lacks, and return the paths of all."""
    paths = [folder / f"{index:03d}.safetensors" for index in range(settings.shards)]
    for index, path in enumerate(progress(paths, len(paths), f"simulating {folder.name}")):
        if not path.exists():
            save_arrays(path, simulate_shard(anatomy, settings, seed, index))
    return paths


def load_bank(paths: list[Path], names: tuple[str, ...] = ("images",)) -> dict[str, np.ndarray]:
    """The named arrays of several shards, one after the other."""
    shards = [load_arrays(path, names) for path in paths]
    return {name: np.concatenate([shard[name] for shard in shards]) for name in names}

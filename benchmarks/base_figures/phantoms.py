"""Simulated patients that no base was trained on, and the conditions of their slices."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mosaicmr.cohort.extraction import SliceSettings
from mosaicmr.partition.domains import HEALTHY, WHOLE
from mosaicmr.pretraining.bank import BankSettings, patient_slices, simulate_shard
from mosaicmr.pretraining.conditions import SIMULATED_CLASSES, partition_simulated
from mosaicmr.pretraining.unet_sets import MODALITIES
from mosaicmr.prompts.looks import Look, LookScale, measure_regions
from mosaicmr.prompts.templates import SliceFacts, facts_of, write_prompt
from mosaicmr.seeds import derive_seed, numpy_generator
from mosaicmr.simulation.anatomy import Anatomy
from mosaicmr.stage import progress

SEED = 1  # pretraining derives its patients from other labels, so no seed of its can give one of these
HEALTHY_DOMAINS = 3  # as in the default configuration
DOMAINS = (
    *(tumour.name for tumour in SIMULATED_CLASSES),
    *(f"{HEALTHY}{number}" for number in range(1, HEALTHY_DOMAINS + 1)),
)


@dataclass(frozen=True)
class Phantoms:
    """Slices of simulated patients.

    images: float32 [n, 4, H, W] in [0, 1]; labels, brain: uint8 [n, H, W]; height: float64 [n], 0 to 1; patients: text
    [n]; pixel_size: mm.
    """

    images: np.ndarray
    labels: np.ndarray
    brain: np.ndarray
    height: np.ndarray
    patients: np.ndarray
    pixel_size: float

    def __len__(self) -> int:
        return len(self.images)

    @property
    def identifiers(self) -> list[str]:
        """A name for each slice."""
        return [f"{patient}-{index}" for index, patient in enumerate(self.patients)]

    def keep(self, count: int) -> "Phantoms":
        """The first slices."""
        return self.pick(np.arange(min(count, len(self))))

    def pick(self, rows: np.ndarray) -> "Phantoms":
        """Some slices; rows: int [k]."""
        arrays = {name: value[rows] for name, value in vars(self).items() if name != "pixel_size"}
        return replace(self, **arrays)


def simulate(anatomy: Anatomy, name: str, patients: int, settings: SliceSettings) -> Phantoms:
    """The slices of `patients` new patients; sets of different names share none."""
    slices, owners = [], []
    for number in progress(range(patients), patients, f"simulating the patients of {name}"):
        cut = patient_slices(anatomy, settings, derive_seed(SEED, "benchmark", "base model", name, number))
        slices += cut
        owners += [f"{name}{number:03d}"] * len(cut)
    return Phantoms(
        images=np.stack([one.images.numpy() for one in slices]),
        labels=np.stack([one.labels.numpy() for one in slices]),
        brain=np.stack([one.brain.numpy().astype(np.uint8) for one in slices]),
        height=np.array([one.height for one in slices]),
        patients=np.array(owners),
        pixel_size=settings.pixel_size,
    )


def simulate_random_contrast(anatomy: Anatomy, count: int, view: tuple[int, float]) -> np.ndarray:
    """Slices float32 [n, 4, H, W] in [0, 1], each of a head of its own, as pretraining's banks of them; view: side in
    pixels and their size in mm."""
    bank = BankSettings("slices", 1, count, *view, free_contrast=0.0, trains=())
    images = simulate_shard(anatomy, bank, derive_seed(SEED, "benchmark", "random contrast"), 0)["images"]
    return images.astype(np.float32) / 255


def partition(phantoms: Phantoms) -> np.ndarray:
    """Domain maps uint8 [n, H, W], with DOMAINS as ids from 1 on, made as in pretraining."""
    maps = []
    for name, images, labels, brain in zip(
        phantoms.identifiers, phantoms.images, phantoms.labels, phantoms.brain, strict=True
    ):
        generator = numpy_generator(SEED, "benchmark", "domains", name)
        view = (phantoms.pixel_size, generator, MODALITIES)
        maps.append(partition_simulated(images, labels, brain, *view, healthy_domains=HEALTHY_DOMAINS)[0])
    return np.stack(maps)


def measure_facts(phantoms: Phantoms, scale: LookScale) -> list[SliceFacts]:
    """The facts of every slice, with its own looks in the words of a scale."""
    looks = measure_looks(phantoms, phantoms.images, scale)
    slices = zip(phantoms.labels, phantoms.brain, phantoms.height, looks, strict=True)
    return [facts_of(labels, brain, height, phantoms.pixel_size, seen) for labels, brain, height, seen in slices]


def measure_looks(phantoms: Phantoms, images: np.ndarray, scale: LookScale) -> list[tuple[Look, ...]]:
    """The looks of the phantoms' tumours in `images` float [n, 4, H, W], their own or those drawn for their layouts."""
    return [
        scale.describe(measure_regions(image, labels, MODALITIES, phantoms.pixel_size))
        for image, labels in zip(images, phantoms.labels, strict=True)
    ]


def write_prompts(facts: Sequence[SliceFacts]) -> list[str]:
    """The prompts of whole slices of all modalities."""
    return [write_prompt(WHOLE, one, MODALITIES) for one in facts]

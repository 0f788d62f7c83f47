"""A cohort on disk in which every tumour is a bright square: a segmenter learns it in seconds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.slice_set import SliceHeader, SliceSet
from mosaicmr.io import save_arrays

SIZE = 32
PER_PATIENT = 6
HEADER = SliceHeader(("FLAIR", "T2"), 1.5, LabelScheme.named("brats2021").classes)


@dataclass(frozen=True)
class SquareCohort:
    """Paths of one shard of real slices, one batch of synthetic slices, and the table of subjects."""

    slices: list[str]
    synthetic: list[str]
    layouts: list[str]
    subjects: pd.DataFrame


def squares(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images float16 [n, 2, 32, 32] and labels uint8: oedema grey 0.6 around an enhancing core of 0.95."""
    generator = np.random.default_rng(seed)
    images = np.zeros((count, 2, SIZE, SIZE))
    images[:, :, 2:30, 2:30] = 0.3 + 0.03 * generator.standard_normal((count, 2, 28, 28))
    labels = np.zeros((count, SIZE, SIZE), np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = generator.integers(4, 14, size=2)
        image[:, row : row + 12, column : column + 12] += 0.3
        label[row : row + 12, column : column + 12] = 2
        image[:, row + 3 : row + 9, column + 3 : column + 9] += 0.35
        label[row + 3 : row + 9, column + 3 : column + 9] = 3
    return images.clip(0, 1).astype(np.float16), labels


def write_square_cohort(folder: Path) -> SquareCohort:
    """Write a shard with three training, one validation and three test patients, and a batch of 12 synthetic slices."""
    splits = {"p1": "train", "p2": "test", "p3": "train", "p4": "val", "p5": "test", "p6": "train", "p7": "test"}
    subjects = pd.DataFrame({"subject": list(splits), "patient": list(splits), "split": list(splits.values())})
    patients = [patient for patient in splits for _ in range(PER_PATIENT)]
    images, labels = squares(len(patients), seed=1)
    rows = range(len(patients))
    names = [f"{patient}-z{row}" for patient, row in zip(patients, rows, strict=True)]
    table = pd.DataFrame({"slice": names, "subject": patients, "patient": patients, "row": list(rows)})
    SliceSet(HEADER, table, {"images": images, "labels": labels}).save(folder / "s000.safetensors")

    made, asked = squares(12, seed=2)
    save_arrays(folder / "b0000_images.safetensors", {"images": made}, HEADER.metadata)
    sources = ["p1", "p3", "p6"] * 4
    layouts = pd.DataFrame({"slice": [f"s{i:05d}" for i in range(12)], "patient": sources, "row": range(12)})
    SliceSet(HEADER, layouts, {"labels": asked}).save(folder / "b0000.safetensors")
    names = ("s000.safetensors", "b0000_images.safetensors", "b0000.safetensors")
    return SquareCohort(*([str(folder / name)] for name in names), subjects)

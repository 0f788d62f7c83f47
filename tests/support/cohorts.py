"""Tiny cohorts in BraTS naming, written to disk: ellipsoid heads with a tumour in each."""

from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (40, 48, 30)  # voxels of VOXEL mm
VOXEL = 4.0
SUFFIXES = {"brats2021": ("flair", "t1", "t1ce", "t2"), "brats2023": ("t2f", "t1n", "t1c", "t2w")}
ENHANCING = {"brats2021": 4, "brats2023": 3}


def write_cohort(folder: Path, subjects: int = 5, scheme: str = "brats2021") -> list[Path]:
    """Write a cohort named as in `scheme`; returns the folders of the subjects."""
    return [write_subject(folder, number, scheme) for number in range(1, subjects + 1)]


def write_subject(folder: Path, number: int, scheme: str) -> Path:
    """Write the four images and the segmentation of one subject."""
    name = f"BraTS2021_{number:05d}" if scheme == "brats2021" else f"BraTS-GLI-{number:05d}-000"
    separator = "_" if scheme == "brats2021" else "-"
    rng = np.random.default_rng(number)
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, size) for size in SHAPE), indexing="ij"))
    brain = (grid**2).sum(0) < 0.8
    centre = np.array([0.3 * (-1) ** number, 0.1 * (number % 3), 0.0]).reshape(3, 1, 1, 1)
    distance = np.sqrt(((grid - centre) ** 2).sum(0))
    labels = np.select([distance < 0.15, distance < 0.25, distance < 0.4], [1, ENHANCING[scheme], 2], 0) * brain
    target = folder / name
    target.mkdir(parents=True)
    for index, suffix in enumerate(SUFFIXES[scheme]):
        image = (300 + 60 * index * (labels > 0) + 100 * np.cos(6 * grid[0]) + rng.normal(0, 20, SHAPE)) * brain
        save(image.clip(0).astype(np.int16), target / f"{name}{separator}{suffix}.nii.gz")
    save(labels.astype(np.uint8), target / f"{name}{separator}seg.nii.gz")
    return target


def touch_cohort(folder: Path, subjects: int) -> None:
    """Empty files in the naming of BraTS 2021: enough to plan the jobs of a cohort of any size, and no more."""
    for number in range(1, subjects + 1):
        name = f"BraTS2021_{number:05d}"
        (folder / name).mkdir(parents=True)
        for suffix in (*SUFFIXES["brats2021"], "seg"):
            (folder / name / f"{name}_{suffix}.nii.gz").touch()


def save(array: np.ndarray, path: Path) -> None:
    """Write a NIfTI in the orientation of BraTS: left and posterior are where indices grow."""
    nib.save(nib.Nifti1Image(array, np.diag([-VOXEL, -VOXEL, VOXEL, 1])), path)

"""Small scans in BraTS naming, made on the spot: a box for a brain, and a box for a tumour in it."""

from pathlib import Path

import nibabel as nib
import numpy as np

SUFFIXES = {"FLAIR": "flair", "T1": "t1", "T1ce": "t1ce", "T2": "t2"}
SUFFIXES_2023 = {"FLAIR": "t2f", "T1": "t1n", "T1ce": "t1c", "T2": "t2w"}
SHAPE = (30, 36, 24)
BRAIN = (slice(5, 25), slice(4, 32), slice(2, 22))
# RAS+: towards the patient's left, towards the front, upper half.
TUMOUR = (slice(8, 13), slice(22, 28), slice(14, 19))
PART_OF_TUMOUR = (slice(10, 12), slice(24, 27), slice(15, 18))


def make_volumes(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """An image float32 and BraTS 2021 labels uint8 of SHAPE, RAS+; the tumour is brighter than the brain."""
    rng = np.random.default_rng(seed)
    image, labels = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.uint8)
    image[BRAIN] = rng.uniform(100, 200, image[BRAIN].shape)
    labels[TUMOUR] = 2
    labels[PART_OF_TUMOUR] = 4
    image[labels > 0] += 300
    return image, labels


def write_scan(
    folder: Path, name: str, modalities=tuple(SUFFIXES), image=None, labels=None, axes="RAS", voxel_size=2.0
) -> dict[str, Path]:
    """Write a subject's files with voxels stored along `axes`; returns the files by modality, labels as `seg`."""
    default_image, default_labels = make_volumes()
    image = default_image if image is None else image
    labels = default_labels if labels is None else labels
    separator, suffixes = ("-", SUFFIXES_2023) if "-" in name else ("_", SUFFIXES)
    files = {}
    for modality, volume in [*((modality, image) for modality in modalities), ("seg", labels)]:
        files[modality] = Path(folder) / name / f"{name}{separator}{suffixes.get(modality, 'seg')}.nii.gz"
        files[modality].parent.mkdir(parents=True, exist_ok=True)
        write_nifti(files[modality], volume, axes, voxel_size)
    return files


def write_nifti(file: Path, volume: np.ndarray, axes: str = "RAS", voxel_size=2.0) -> None:
    """Write a RAS+ volume with its voxels stored along `axes` (such as LPS) and an affine that says so."""
    nifti = nib.Nifti1Image(volume, np.diag([*np.broadcast_to(voxel_size, 3), 1.0]))
    to_axes = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(nifti.affine), nib.orientations.axcodes2ornt(axes)
    )
    nib.save(nifti.as_reoriented(to_axes), file)

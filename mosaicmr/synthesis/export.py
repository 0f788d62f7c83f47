"""A synthetic set for training: nnU-Net's raw layout, a NIfTI for each modality and each label map."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from mosaicmr.cohort.labels import scheme_classes
from mosaicmr.io import save_json

FILE_ENDING = ".nii.gz"
PROVENANCE = ["case", "slice", "prompt"]  # nothing about a patient, not even the source slice of a layout


@dataclass(frozen=True)
class DatasetFacts:
    """Facts that all slices of an exported set share. pixel_size, slice_spacing: mm."""

    variant: str
    modalities: Sequence[str]
    label_scheme: str
    pixel_size: float
    slice_spacing: float


Batch = tuple[np.ndarray, np.ndarray, pd.DataFrame]


def export_dataset(folder: str | Path, batches: Iterable[Batch], facts: DatasetFacts) -> None:
    """Write synthetic slices and their label maps in nnU-Net's raw layout; `folder` appears whole or not at all.

    batches: images float16 [n, M, H, W] in [0, 1], canonical labels uint8 [n, H, W], and a table with the columns
    `synthetic` (id) and `prompt`; row 0 of an image is anterior and column 0 the patient's right.
    An older `folder` is replaced.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".partial-{folder.name}-", dir=folder.parent))
    try:
        _write_dataset(temporary, batches, facts)
        temporary.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_dataset(folder: Path, batches: Iterable[Batch], facts: DatasetFacts) -> None:
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir()
    values = consecutive_labels(facts.label_scheme)
    lookup = np.zeros(max(values, default=0) + 1, np.uint8)
    for canonical, exported in values.items():
        lookup[canonical] = exported
    rows = []
    for images, labels, table in batches:
        for image, label, identifier, prompt in zip(images, labels, table["synthetic"], table["prompt"], strict=True):
            case = f"mosaic_{len(rows) + 1:05d}"
            for channel, picture in enumerate(image):
                path = folder / "imagesTr" / f"{case}_{channel:04d}{FILE_ENDING}"
                nib.save(to_nifti(picture.astype(np.float32), facts.pixel_size, facts.slice_spacing), path)
            path = folder / "labelsTr" / f"{case}{FILE_ENDING}"
            nib.save(to_nifti(lookup[label], facts.pixel_size, facts.slice_spacing), path)
            rows.append((case, identifier, prompt))
    save_json(folder / "dataset.json", describe_dataset(len(rows), facts))
    pd.DataFrame(rows, columns=PROVENANCE).to_csv(folder / "provenance.csv", index=False)


def consecutive_labels(label_scheme: str) -> dict[int, int]:
    """The exported value of each canonical class of a scheme, from 1 on: nnU-Net wants labels without gaps."""
    return {tumour_class.value: index for index, tumour_class in enumerate(scheme_classes(label_scheme), start=1)}


def describe_dataset(cases: int, facts: DatasetFacts) -> dict:
    """The content of nnU-Net's dataset.json."""
    values = consecutive_labels(facts.label_scheme)
    names = {tumour_class.name: values[tumour_class.value] for tumour_class in scheme_classes(facts.label_scheme)}
    return {
        "channel_names": {str(channel): name for channel, name in enumerate(facts.modalities)},
        "labels": {"background": 0, **names},
        "numTraining": cases,
        "file_ending": FILE_ENDING,
        "name": "MosaicMR",
        "description": "Synthetic axial brain MR slices with tumour labels, drawn by diffusion models.",
        "variant": facts.variant,
    }


def to_nifti(picture: np.ndarray, pixel_size: float, slice_spacing: float) -> nib.Nifti1Image:
    """A slice [H, W] (row 0 anterior, column 0 the patient's right) as NIfTI [W, H, 1] in RAS+ orientation.

    Voxel axes run to the patient's right, to anterior and to superior, so any viewer shows anterior up and marks the
    sides correctly. The middle of the slice is the origin. Sizes in mm.
    """
    height, width = picture.shape
    affine = np.diag([pixel_size, pixel_size, slice_spacing, 1.0])
    affine[:2, 3] = -pixel_size * (width - 1) / 2, -pixel_size * (height - 1) / 2
    image = nib.Nifti1Image(np.ascontiguousarray(picture[::-1, ::-1].T)[:, :, None], affine)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.header.set_xyzt_units("mm")
    return image

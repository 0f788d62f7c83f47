"""A synthetic set for training: nnU-Net's raw layout, a NIfTI for each modality and each label map."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from mosaicmr.cohort.labels import TumourClass, rank_classes
from mosaicmr.cohort.slice_set import SliceHeader, SliceSet
from mosaicmr.io import save_json
from mosaicmr.partition.domains import WHOLE
from mosaicmr.stage import progress

FILE_ENDING = ".nii.gz"
PROVENANCE = ["case", "slice", "prompt"]  # nothing about a patient, not even the source slice of a layout


def export_dataset(
    folder: str | Path,
    batches: Sequence[SliceSet],
    classes: Sequence[TumourClass],
    variant: str,
    slice_spacing: float,
) -> None:
    """Write synthetic slices and their label maps in nnU-Net's raw layout; `folder` appears whole or not at all.

    batches: images and labels of layouts, at least one batch. classes: to be numbered from 1 on. variant: how
    they were drawn. slice_spacing: mm.
    An older `folder` is replaced.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".partial-{folder.name}-", dir=folder.parent))
    try:
        _write_dataset(temporary, batches, classes, variant, slice_spacing)
        temporary.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_dataset(
    folder: Path,
    batches: Sequence[SliceSet],
    classes: Sequence[TumourClass],
    variant: str,
    slice_spacing: float,
) -> None:
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir()
    header, rows = batches[0].header, []
    for batch in progress(batches, len(batches), "exporting batches"):
        slices = zip(batch.images, batch.labels, batch.table["slice"], batch.table[f"prompt_{WHOLE}"], strict=True)
        for image, labels, identifier, prompt in slices:
            case = f"mosaic_{len(rows) + 1:05d}"
            for channel, picture in enumerate(image):
                path = folder / "imagesTr" / f"{case}_{channel:04d}{FILE_ENDING}"
                nib.save(to_nifti(picture.astype(np.float32), header.pixel_size, slice_spacing), path)
            # nnU-Net wants labels without gaps.
            ranks = rank_classes(labels, classes)
            path = folder / "labelsTr" / f"{case}{FILE_ENDING}"
            nib.save(to_nifti(ranks, header.pixel_size, slice_spacing), path)
            rows.append((case, identifier, prompt))
    save_json(folder / "dataset.json", describe_dataset(len(rows), header, classes, variant))
    pd.DataFrame(rows, columns=PROVENANCE).to_csv(folder / "provenance.csv", index=False)


def describe_dataset(cases: int, header: SliceHeader, classes: Sequence[TumourClass], variant: str) -> dict:
    """The content of nnU-Net's dataset.json."""
    names = {tumour_class.name: rank for rank, tumour_class in enumerate(classes, start=1)}
    return {
        "channel_names": {str(channel): name for channel, name in enumerate(header.modalities)},
        "labels": {"background": 0, **names},
        "numTraining": cases,
        "file_ending": FILE_ENDING,
        "name": "MosaicMR",
        "description": "Synthetic axial brain MR slices with tumour labels, drawn by diffusion models.",
        "variant": variant,
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

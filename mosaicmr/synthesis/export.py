"""A set for training in nnU-Net's raw layout: a NIfTI for each modality and each label map, and folds by patients."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.io import save_json
from mosaicmr.synthesis.export_cases import DESCRIPTIONS, Case, split_folds, to_nifti
from mosaicmr.synthesis.export_format import ExportFormat

FILE_ENDING = ".nii.gz"
DONORS = (
    "Tumours given from patient to patient connect all cases, so a case is of the patient of its head alone: a tumour\n"
    "of a patient in `val` can be in a head in `train`. Only a run with `layouts.transplant` 0 parts them.\n"
)
PROVENANCE = ["case", "synthetic", "group", "slice", "prompt"]  # nothing about a patient, not even a source slice


def write_whole(folder: str | Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a folder that appears whole or not at all; an older `folder` is replaced."""
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".partial-{folder.name}-", dir=folder.parent))
    try:
        write(temporary)
        temporary.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def export_dataset(
    folder: str | Path,
    cases: Iterable[Case],
    header: SliceHeader,
    form: ExportFormat,
    facts: dict,
    slice_spacing: float,
    donors_parted: bool = True,
) -> None:
    """Write cases in nnU-Net's raw layout, with folds by groups of patients; `folder` appears whole or not at all.

    header: of the slices. facts: more entries of dataset.json. slice_spacing: mm. donors_parted: whether groups count
    the patients whose tumours were given, as `group_cases` says.
    """

    def write(temporary: Path) -> None:
        for name in ("imagesTr", "labelsTr"):
            (temporary / name).mkdir()
        rows = [_write_case(temporary, case, header, form, slice_spacing) for case in cases]
        provenance = pd.DataFrame(rows, columns=PROVENANCE)
        save_json(temporary / "dataset.json", _describe(provenance, form) | facts)
        provenance.to_csv(temporary / "provenance.csv", index=False)
        folds = split_folds(provenance["case"].tolist(), provenance["group"].tolist())
        if folds:
            save_json(temporary / "splits_final.json", folds)
        (temporary / "README.md").write_text(_explain(provenance, len(folds), donors_parted), encoding="utf-8")

    write_whole(folder, write)


def _write_case(folder: Path, case: Case, header: SliceHeader, form: ExportFormat, slice_spacing: float) -> tuple:
    sizes = (header.pixel_size, slice_spacing, DESCRIPTIONS[case.synthetic])
    for channel, (_, modality) in enumerate(form.channels):
        picture = case.images[header.modalities.index(modality)].astype(np.float32)
        path = folder / "imagesTr" / f"{case.name}_{channel:04d}{FILE_ENDING}"
        nib.save(to_nifti(picture, *sizes), path)
    lookup = np.zeros(256, np.uint8)
    for value, written in form.values.items():
        lookup[value] = written
    nib.save(to_nifti(lookup[case.labels], *sizes), folder / "labelsTr" / f"{case.name}{FILE_ENDING}")
    return (case.name, case.synthetic, case.group, case.slice, case.prompt)


def _describe(provenance: pd.DataFrame, form: ExportFormat) -> dict:
    """The content of nnU-Net's dataset.json."""
    real = int((~provenance["synthetic"].astype(bool)).sum())
    of_patients = f" {real} cases (real_*) are slices of patients." if real else ""
    return {
        "channel_names": {str(channel): name for channel, (name, _) in enumerate(form.channels)},
        "labels": {"background": 0, **dict(form.labels)},
        "numTraining": len(provenance),
        "file_ending": FILE_ENDING,
        "name": "MosaicMR",
        "description": f"Synthetic axial brain MR slices with label maps, drawn by diffusion models.{of_patients}",
    }


def _explain(provenance: pd.DataFrame, folds: int, donors_parted: bool) -> str:
    """The README of the set: the cases that it holds, and the commands that train nnU-Net on it."""
    real = int((~provenance["synthetic"].astype(bool)).sum())
    patients = f"**{real} of them (`real_*`) are slices of patients: the terms of your cohort govern them.**\n\n"
    copy = "    cp $nnUNet_raw/Dataset123_MosaicMR/splits_final.json $nnUNet_preprocessed/Dataset123_MosaicMR/\n"
    return (
        "# Slices for training\n\n"
        f"{len(provenance)} axial slices in the raw layout of nnU-Net v2.\n\n"
        f"{patients if real else ''}"
        f"{_explain_folds(folds, donors_parted)}\n"
        "    cp -r dataset $nnUNet_raw/Dataset123_MosaicMR\n"
        "    nnUNetv2_plan_and_preprocess -d 123 -c 2d --verify_dataset_integrity\n"
        f"{copy if folds else ''}"
        f"    nnUNetv2_train 123 2d {'0' if folds else 'all'}\n\n"
        "Delete `$nnUNet_preprocessed/Dataset123_MosaicMR` before you do this with another export: nnU-Net keeps the\n"
        "folds that it has, and stops where others come.\n"
    )


def _explain_folds(folds: int, donors_parted: bool) -> str:
    """The paragraph of the README about the folds."""
    if not folds:
        return "All cases are made from the same patients, so no folds are given: train on `all`.\n"
    return (
        f"`splits_final.json` has {folds} folds, 0 to {folds - 1}: cases made from the same patients (column `group`\n"
        "of `provenance.csv`) stay on one side. nnU-Net reads it beside its preprocessed data. For a fold of a higher\n"
        f"number it draws cases at random, with patients on both sides.\n{'' if donors_parted else DONORS}"
    )

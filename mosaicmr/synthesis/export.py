"""A set for training in nnU-Net's raw layout: a NIfTI for each modality and each label map, and folds by patients."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import nibabel as nib
import numpy as np
import pandas as pd

from mosaicmr.cohort.labels import TumourClass
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.errors import InputError
from mosaicmr.io import load_json, save_json
from mosaicmr.sources.scans import modality_of
from mosaicmr.synthesis.export_cases import DESCRIPTIONS, Case, split_folds, to_nifti

FILE_ENDING = ".nii.gz"
DONORS = (
    "Tumours given from patient to patient connect all slices, so a patient counts by the head alone: a tumour of a\n"
    "patient of `val` can be in another head of `train`. Set `layouts.transplant` to 0 to part them.\n"
)
PROVENANCE = ["case", "synthetic", "group", "slice", "prompt"]  # nothing about a patient, not even a source slice


@dataclass(frozen=True)
class ExportFormat:
    """How a set names and orders its channels and labels.

    channels: name of each channel and the modality it holds, in order. labels: name and value of each label but the
    background, by rising value. values: the value of each of our classes, by its own value.
    """

    channels: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, int], ...]
    values: dict[int, int]

    @classmethod
    def plain(cls, header: SliceHeader, classes: Sequence[TumourClass]) -> Self:
        """Our own names; labels from 1 on without gaps, as nnU-Net wants them."""
        ranked = {one.name: (one.value, rank) for rank, one in enumerate(classes, start=1)}
        labels = tuple((name, rank) for name, (_, rank) in ranked.items())
        return cls(tuple((name, name) for name in header.modalities), labels, dict(ranked.values()))

    @classmethod
    def like(cls, path: str | Path, header: SliceHeader, classes: Sequence[TumourClass]) -> Self:
        """The names and the order of an existing dataset.json.

        Raises InputError if it is no such file, if one of its channels is none of our modalities, or if it lacks one
        of the classes.
        """
        content = load_json(path)
        if not isinstance(content, dict) or not {"channel_names", "labels"} <= set(content):
            raise InputError(f"export.like '{path}' has no channel_names and labels: name a dataset.json of nnU-Net.")
        names = [str(name) for _, name in sorted(content["channel_names"].items(), key=lambda item: int(item[0]))]
        channels = []
        for name in names:
            modality = modality_of(name, {})
            if modality not in header.modalities:
                raise InputError(
                    f"export.like '{path}' has the channel '{name}', which is none of the modalities of this run "
                    f"({', '.join(header.modalities)}): add it to cohort.modalities, or name another dataset.json."
                )
            channels.append((name, modality))
        values = {name: value for name, value in content["labels"].items() if isinstance(value, int) and value > 0}
        for one in classes:
            if one.name not in values:
                raise InputError(
                    f"export.like '{path}' has the labels {', '.join(values) or 'none'}, but not '{one.name}': name "
                    "the classes of this run as there (cohort.classes), or name another dataset.json."
                )
        labels = tuple(sorted(values.items(), key=lambda item: item[1]))
        return cls(tuple(channels), labels, {one.value: values[one.name] for one in classes})


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
        "description": f"Synthetic axial brain MR slices with tumour labels, drawn by diffusion models.{of_patients}",
    }


def _explain(provenance: pd.DataFrame, folds: int, donors_parted: bool) -> str:
    """The README of the set: what it holds, and the commands that train nnU-Net on it."""
    real = int((~provenance["synthetic"].astype(bool)).sum())
    patients = (
        f"\n**{real} cases (`real_*`) are slices of patients.** The terms of your cohort govern them.\n" if real else ""
    )
    splits = (
        f"`splits_final.json` has {folds} folds that put no patient on both sides: cases made from the same patients\n"
        "(column `group` of `provenance.csv`) stay together. nnU-Net reads it from its folder of preprocessed data.\n"
        f"{'' if donors_parted else DONORS}"
        if folds
        else "All cases are made from the same patients, so no folds are given: train on `all`.\n"
    )
    cases = f"{len(provenance)} axial slices in the raw layout of nnU-Net v2."
    copy = "    cp $nnUNet_raw/Dataset123_MosaicMR/splits_final.json $nnUNet_preprocessed/Dataset123_MosaicMR/\n"
    return (
        f"# Slices for training\n\n{cases}\n{patients}\n{splits}\n"
        "    cp -r dataset $nnUNet_raw/Dataset123_MosaicMR\n"
        "    nnUNetv2_plan_and_preprocess -d 123 -c 2d --verify_dataset_integrity\n"
        f"{copy if folds else ''}"
        f"    nnUNetv2_train 123 2d {'0' if folds else 'all'}\n"
    )

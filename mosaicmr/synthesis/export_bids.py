"""The drawn slices as a BIDS derivative: each with a sidecar that says how it was made, repeated in its header."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from mosaicmr import __version__
from mosaicmr.cohort.labels import TumourClass, rank_classes
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.io import save_json
from mosaicmr.synthesis.export import write_whole
from mosaicmr.synthesis.export_cases import DESCRIPTIONS, Case, to_nifti

BIDS_VERSION = "1.10.0"
# The names of BIDS for our modalities: entities, then suffix.
SUFFIXES = {
    "FLAIR": "desc-synthetic_FLAIR",
    "T1": "desc-synthetic_T1w",
    "T1ce": "ce-gadolinium_desc-synthetic_T1w",
    "T2": "desc-synthetic_T2w",
}
SEGMENTATION = "desc-synthetic_dseg"


def export_bids(
    folder: str | Path,
    cases: Iterable[Case],
    header: SliceHeader,
    classes: Sequence[TumourClass],
    facts: Mapping[str, Any],
    slice_spacing: float,
) -> None:
    """Write drawn slices as a BIDS derivative; `folder` appears whole or not at all.

    header: of the slices. classes: to be numbered from 1 on. facts: of all sidecars: how the slices were drawn, by
    which weights. slice_spacing: mm.
    """

    def write(temporary: Path) -> None:
        description = {
            "Name": "Synthetic axial brain MR slices with segmentations",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "MosaicMR", "Version": __version__}],
        }
        save_json(temporary / "dataset_description.json", description)
        (temporary / "README.md").write_text(README, encoding="utf-8")
        table = [f"{rank}\t{one.name}" for rank, one in enumerate(classes, start=1)]
        text = "\n".join(["index\tname", "0\tbackground", *table]) + "\n"
        (temporary / f"{SEGMENTATION}.tsv").write_text(text, encoding="utf-8")
        for case in cases:
            _write_case(temporary, case, header, classes, facts, slice_spacing)

    write_whole(folder, write)


README = """# Synthetic axial brain MR slices with segmentations

No slice is of a patient: each was drawn by diffusion models, and its sidecar says from which prompt, with which seed
and by which weights. A subject of this data set is a slice.
"""


def _write_case(
    folder: Path,
    case: Case,
    header: SliceHeader,
    classes: Sequence[TumourClass],
    facts: Mapping[str, Any],
    slice_spacing: float,
) -> None:
    subject = f"sub-{case.name.replace('_', '')}"
    place = folder / subject / "anat"
    place.mkdir(parents=True)
    # The noise of a slice follows from the seed and its name.
    made = {"synthetic": True, "prompt": case.prompt, "slice": case.slice, **facts}
    sidecar = {"Description": DESCRIPTIONS[True], "SkullStripped": True, **made}
    pictures = {SEGMENTATION: rank_classes(case.labels, classes)}
    for modality, image in zip(header.modalities, case.images, strict=True):
        pictures[SUFFIXES[modality]] = image.astype(np.float32)
    for ending, picture in pictures.items():
        path = place / f"{subject}_{ending}"
        image = to_nifti(picture, header.pixel_size, slice_spacing, DESCRIPTIONS[True])
        # Sidecars get lost, and the field for a description holds 79 letters.
        comment = json.dumps(made, sort_keys=True).encode()
        image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", comment))
        nib.save(image, f"{path}.nii.gz")
        save_json(f"{path}.json", sidecar)

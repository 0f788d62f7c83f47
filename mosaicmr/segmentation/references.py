"""References to slices and label maps on disk, so that only the requested slices are read.

A segmenter's batch is eight slices out of thousands, and the same shard holds training and test patients. So a set of
slices is a table of references, and a slice is read when a batch needs it: memory stays small, and a patient who is not
in the table is never read.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open

from mosaicmr.cohort.selection import select_splits
from mosaicmr.cohort.slice_set import SliceHeader, table_beside
from mosaicmr.errors import InputError
from mosaicmr.io import load_table

COLUMNS = ["image_file", "label_file", "row", "slice", "patient"]


def refer(
    images: Sequence[str | Path],
    labels: Sequence[str | Path],
    subjects: pd.DataFrame | None = None,
    splits: Sequence[str] = (),
) -> pd.DataFrame:
    """References to real slices of the patients in `splits`, or to synthetic slices and their layouts.

    images: files of real or synthetic slices. labels: for each, the file with its label maps and a table beside it: the
    same file for real slices, that of the layouts for synthetic slices. subjects: columns subject and split, None for
    synthetic slices, which are all taken. Returns columns image_file, label_file, row, slice, patient. Raises
    InputError if two files that belong together are of different kinds of slices.
    """
    parts = []
    for image_file, label_file in zip(images, labels, strict=True):
        SliceHeader.read_all(image_file, label_file)
        table = load_table(table_beside(label_file))
        table = table if subjects is None else select_splits(table, subjects, *splits)
        parts.append(table.assign(image_file=str(image_file), label_file=str(label_file))[COLUMNS])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)


def read_slices(references: pd.DataFrame) -> tuple[torch.Tensor, torch.Tensor]:
    """Read the referenced slices: images float32 [n, M, H, W] in [0, 1] and labels int64 [n, H, W], tumour classes.

    Raises InputError where a file cannot be read.
    """
    images = [_read_row(at.image_file, "images", at.row) for at in references.itertuples()]
    labels = [_read_row(at.label_file, "labels", at.row) for at in references.itertuples()]
    return (
        torch.from_numpy(np.concatenate(images).astype(np.float32)),
        torch.from_numpy(np.concatenate(labels).astype(np.int64)),
    )


def _read_row(path: str, name: str, row: int) -> np.ndarray:
    try:
        with safe_open(path, framework="numpy") as file:
            return file.get_slice(name)[row : row + 1]
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} has no readable '{name}' ({error}): delete it and run its rule again.") from error

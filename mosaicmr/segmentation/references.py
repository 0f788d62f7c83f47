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

from mosaicmr.errors import InputError
from mosaicmr.io import load_table

COLUMNS = ["image_file", "label_file", "row", "slice", "patient"]


def refer_real(
    slices: Sequence[str | Path], tables: Sequence[str | Path], subjects: pd.DataFrame, splits: Sequence[str]
) -> pd.DataFrame:
    """References to the real slices of the patients in `splits` (of train, val, test).

    slices and tables: the arrays and tables of the shards; subjects: columns patient and split. Columns of the result:
    image_file, label_file, row, slice, patient.
    """
    wanted = set(subjects.loc[subjects["split"].isin(splits), "patient"])
    parts = []
    for path, table_path in zip(slices, tables, strict=True):
        table = load_table(table_path)
        table = table[table["patient"].isin(wanted)]
        parts.append(table[["row", "slice", "patient"]].assign(image_file=str(path), label_file=str(path)))
    return _join(parts)


def refer_synthetic(
    slices: Sequence[str | Path], layouts: Sequence[str | Path], tables: Sequence[str | Path]
) -> pd.DataFrame:
    """References to synthetic slices and their layouts; the patient is that of the source slice."""
    parts = []
    for path, layout_path, table_path in zip(slices, layouts, tables, strict=True):
        table = load_table(table_path).rename(columns={"synthetic": "slice", "source_patient": "patient"})
        parts.append(table[["row", "slice", "patient"]].assign(image_file=str(path), label_file=str(layout_path)))
    return _join(parts)


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


def _join(parts: list[pd.DataFrame]) -> pd.DataFrame:
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(parts, ignore_index=True)[COLUMNS]

"""Real and synthetic slices of a run, read piece by piece, because a large cohort does not fit in memory."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mosaicmr.io import load_arrays, load_table
from mosaicmr.seeds import numpy_generator

TRAINING = "train"
HELD_OUT = ("val", "test")
PIECE = 64  # slices


@dataclass(frozen=True)
class SliceBatch:
    """Some slices of one shard or batch, with their facts.

    images float16 [n, M, H, W] in [0, 1]; domains and brain uint8 [n, H, W]; source float16 [n, M, H, W], the aligned
    source slices of synthetic ones (None for real ones); table, one row a slice in the order of the arrays, with
    `slice`, `patient` (of a synthetic slice: its source patient), `split` (train, val, test or synthetic) and `level`
    (0 inferior to 1 superior).
    """

    images: np.ndarray
    domains: np.ndarray
    brain: np.ndarray
    table: pd.DataFrame
    source: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.table)

    def keep(self, wanted: np.ndarray) -> "SliceBatch":
        """The slices at the positions `wanted`, or where the boolean array `wanted` is true."""
        source = None if self.source is None else self.source[wanted]
        table = self.table.iloc[np.arange(len(self))[wanted]].reset_index(drop=True)
        return SliceBatch(self.images[wanted], self.domains[wanted], self.brain[wanted], table, source)


def describe_slices(table: pd.DataFrame, subjects: pd.DataFrame | None) -> pd.DataFrame:
    """The columns slice, patient, split and level for a table of real slices or of layouts.

    `subjects` (subject, split) says which part of the cohort real slices belong to; None means layouts, whose slices
    are called by their synthetic name and belong to their source patient.
    """
    if subjects is None:
        names = {"slice": table["synthetic"], "patient": table["source_patient"], "split": "synthetic"}
    else:
        splits = table["subject"].map(subjects.set_index("subject")["split"])
        names = {"slice": table["slice"], "patient": table["patient"], "split": splits}
    return pd.DataFrame(names | {"level": table["level"]}).reset_index(drop=True)


def read_batches(
    slices: Sequence[str | Path],
    tables: Sequence[str | Path],
    domains: Sequence[str | Path],
    subjects: pd.DataFrame | None = None,
) -> Iterator[SliceBatch]:
    """Yield the slices file by file, at most `PIECE` at once.

    Real slices: `slices` (images, brain), their `tables`, their `domains`, and `subjects`. Synthetic ones: `slices`
    (images), the tables of their layouts, the layouts (domains, brain, source), and no subjects.
    """
    for slice_path, table_path, domain_path in zip(slices, tables, domains, strict=True):
        table = load_table(table_path)
        arrays = load_arrays(slice_path, ["images"] if subjects is None else ["images", "brain"])
        arrays |= load_arrays(domain_path, ["domains", "brain", "source"] if subjects is None else ["domains"])
        for first in range(0, len(table), PIECE):
            part = table.iloc[first : first + PIECE]
            rows = part["row"].to_numpy()
            chosen = {name: array[rows] for name, array in arrays.items()}
            yield SliceBatch(table=describe_slices(part, subjects), **chosen)


def count_pieces(tables: Iterable[str | Path]) -> int:
    """How many pieces `read_batches` will yield for these tables."""
    return sum(math.ceil(len(load_table(path)) / PIECE) for path in tables)


def pick_slices(table: pd.DataFrame, limit: int, seed: int) -> np.ndarray:
    """Positions (sorted, int) of at most `limit` rows of `table`, spread evenly over the patients.

    Each patient's slices are shuffled and taken in turns, so that a patient gives two more than another only where the
    other has no more.
    """
    order = numpy_generator(seed, "pick slices").permutation(len(table))
    turn = table["patient"].iloc[order].groupby(table["patient"].iloc[order].to_numpy()).cumcount().to_numpy()
    return np.sort(order[np.argsort(turn, kind="stable")[:limit]])


def gather_slices(batches: Iterable[SliceBatch], names: Iterable[str]) -> SliceBatch:
    """The slices called `names` out of all batches as one batch, in reading order; at least one must exist."""
    wanted = set(names)
    found = [batch.keep(batch.table["slice"].isin(wanted).to_numpy()) for batch in batches]
    found = [batch for batch in found if len(batch)]
    sources = [batch.source for batch in found if batch.source is not None]
    return SliceBatch(
        images=np.concatenate([batch.images for batch in found]),
        domains=np.concatenate([batch.domains for batch in found]),
        brain=np.concatenate([batch.brain for batch in found]),
        table=pd.concat([batch.table for batch in found], ignore_index=True),
        source=np.concatenate(sources) if sources else None,
    )

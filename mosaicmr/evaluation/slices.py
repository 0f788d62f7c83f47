"""Real and synthetic slices of a run, read piece by piece, because a large cohort does not fit in memory."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from mosaicmr.cohort.selection import TEST, VALIDATION, splits_of
from mosaicmr.cohort.slice_set import PIECE, SliceSet
from mosaicmr.seeds import numpy_generator

HELD_OUT = (VALIDATION, TEST)


def describe_slices(table: pd.DataFrame, subjects: pd.DataFrame | None) -> pd.DataFrame:
    """The columns slice, patient, split and height of a table of real slices or of layouts.

    subjects: columns subject and split, which say to which part of the cohort real slices belong; None for layouts,
    whose split is `synthetic`.
    """
    splits = "synthetic" if subjects is None else splits_of(table, subjects)
    return table.assign(split=splits)[["slice", "patient", "split", "height"]].reset_index(drop=True)


def read_pieces(sets: Iterable[SliceSet], subjects: pd.DataFrame | None) -> Iterator[SliceSet]:
    """The slices of all sets in pieces that fit in memory, described as `describe_slices` says."""
    for one in sets:
        for piece in one.pieces():
            yield replace(piece, table=describe_slices(piece.table, subjects))


def count_pieces(sets: Iterable[SliceSet]) -> int:
    """The number of pieces that `read_pieces` yields."""
    return sum(math.ceil(len(one) / PIECE) for one in sets)


def pick_slices(table: pd.DataFrame, limit: int, seed: int) -> np.ndarray:
    """Positions (sorted, int) of at most `limit` rows of `table`, spread evenly over the patients.

    The shuffled slices of the patients are taken in turns, so that a patient gives two more than another only where the
    other has no more.
    """
    order = numpy_generator(seed, "pick slices").permutation(len(table))
    turn = table["patient"].iloc[order].groupby(table["patient"].iloc[order].to_numpy()).cumcount().to_numpy()
    return np.sort(order[np.argsort(turn, kind="stable")[:limit]])


def gather_slices(batches: Iterable[SliceSet], names: Iterable[str]) -> SliceSet:
    """The slices called `names` out of all batches as one set, in reading order; at least one must exist."""
    wanted = set(names)
    found = [batch.keep(batch.table["slice"].isin(wanted).to_numpy()) for batch in batches]
    return SliceSet.join(batch for batch in found if len(batch))

"""Rows of tables by the split of their patients: every stage that fits or trains takes its rows from here."""

import pandas as pd

TRAINING, VALIDATION, TEST = SPLITS = ("train", "val", "test")


def splits_of(table: pd.DataFrame, subjects: pd.DataFrame) -> pd.Series:
    """The split of each row of a table (column subject) by `subjects` (columns subject, split)."""
    return table["subject"].map(subjects.set_index("subject")["split"])


def in_splits(table: pd.DataFrame, *splits: str) -> pd.Series:
    """A mask of the rows of a table (column split) that are of these splits."""
    return table["split"].isin(splits)


def select_splits(table: pd.DataFrame, subjects: pd.DataFrame, *splits: str) -> pd.DataFrame:
    """The rows of a table (column subject) that belong to patients of these splits, with their index.

    subjects: columns subject and split.
    """
    return table[splits_of(table, subjects).isin(splits)]

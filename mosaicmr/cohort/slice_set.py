"""Slices on disk that describe themselves, by a header for the whole file and a table with a row for each slice.

A set of slices is one safetensors file with its table, `0001.parquet` beside `0001.safetensors`, and perhaps further
files with other arrays of the same slices: their domain maps, or the images drawn for layouts.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from mosaicmr.cohort.labels import TumourClass, classes_as_records
from mosaicmr.errors import InputError
from mosaicmr.io import load_arrays, load_metadata, load_table, save_arrays, save_table

PIECE = 64  # slices


@dataclass(frozen=True)
class SliceHeader:
    """The properties that all slices of a file share.

    modalities: of the channels of the images, in order. pixel_size: mm. classes: of the label maps, by rising value.
    domains: names of the domains by rising id, from id 1 on; empty in a file without a domain map.
    """

    modalities: tuple[str, ...]
    pixel_size: float
    classes: tuple[TumourClass, ...]
    domains: tuple[str, ...] = ()

    @property
    def metadata(self) -> dict[str, str]:
        """The header as safetensors holds it: each field as JSON, fields without a value left out."""
        fields = vars(self) | {"classes": classes_as_records(self.classes)}
        return {name: json.dumps(value) for name, value in fields.items() if value != ()}

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read the header of a safetensors file. Raises InputError if it is no file of slices."""
        found = load_metadata(path)
        missing = [name for name in ("modalities", "pixel_size", "classes") if name not in found]
        if missing:
            raise InputError(f"{path} does not say its {missing[0]}: delete the file and run its rule again.")
        values = {name: json.loads(found[name]) for name in cls.__dataclass_fields__ if name in found}
        values["classes"] = [TumourClass(**record) for record in values["classes"]]
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})

    @classmethod
    def read_all(cls, path: str | Path, *more: str | Path) -> Self:
        """Read the header that files of the same slices share. Raises InputError as `read`, or if two contradict.

        The names of the domains are those of the last file that has any.
        """
        header = cls.read(path)
        for file in more:
            other = cls.read(file)
            if replace(other, domains=()) != replace(header, domains=()):
                raise InputError(f"{file} and {path} hold slices of different kinds: run the rule of the older again.")
            header = replace(header, domains=other.domains or header.domains)
        return header


def table_beside(path: str | Path) -> Path:
    """The table of the slices in a safetensors file."""
    return Path(path).with_suffix(".parquet")


@dataclass(frozen=True)
class SliceSet:
    """n slices; row 0 of a picture is anterior, column 0 the patient's right.

    table: a row a slice, in the order of the arrays, with `slice` (its name), `patient` (of a layout: of its source),
    `row` and `height` (0 inferior to 1 superior), and more columns.
    arrays: images float16 [n, M, H, W] in [0, 1], 0 outside the brain; labels uint8 [n, H, W], tumour classes; brain
    uint8 [n, H, W]; domains uint8 [n, H, W], domain ids; source float16 [n, M, H, W], the aligned slices from
    which layouts were made. A set has the arrays of its files.
    """

    header: SliceHeader
    table: pd.DataFrame
    arrays: Mapping[str, np.ndarray]

    @classmethod
    def open(cls, path: str | Path, *more: str | Path) -> Self:
        """Open a file with its table, and files with more arrays of the same slices.

        Arrays are mapped into memory: only the parts in use are read. Raises InputError if a file holds no slices, if
        headers contradict each other, or if a file has another number of slices than the table.
        """
        header, arrays = SliceHeader.read_all(path, *more), load_arrays(path)
        for file in more:
            arrays |= load_arrays(file)
        table = load_table(table_beside(path)).reset_index(drop=True)
        for name, array in arrays.items():
            if len(array) != len(table):
                raise InputError(
                    f"The array '{name}' beside {table_beside(path)} has {len(array)} slices: expected {len(table)}, "
                    "one for each row; delete the files and run their rules again."
                )
        return cls(header, table, arrays)

    @classmethod
    def open_all(cls, paths: Sequence[str | Path], *more: Sequence[str | Path]) -> list[Self]:
        """Open a set for each of `paths`; `more` are lists as long, with the further files of each."""
        return [cls.open(*files) for files in zip(paths, *more, strict=True)]

    @classmethod
    def join(cls, sets: Iterable[Self]) -> Self:
        """Join sets of the same arrays, at least one, into a single set in memory."""
        sets = list(sets)
        arrays = {name: np.concatenate([one.arrays[name] for one in sets]) for name in sets[0].arrays}
        return cls(sets[0].header, pd.concat([one.table for one in sets], ignore_index=True), arrays)

    def save(self, path: str | Path) -> None:
        """Write the arrays with their header, and the table beside them."""
        save_arrays(path, self.arrays, self.header.metadata)
        save_table(table_beside(path), self.table)

    def __len__(self) -> int:
        return len(self.table)

    def _array(self, name: str) -> np.ndarray:
        if name not in self.arrays:
            present = ", ".join(self.arrays)
            raise InputError(f"These slices have no '{name}', only {present}: open the file that has it, too.")
        return self.arrays[name]

    @property
    def images(self) -> np.ndarray:
        """float16 [n, M, H, W] in [0, 1]."""
        return self._array("images")

    @property
    def labels(self) -> np.ndarray:
        """uint8 [n, H, W], tumour classes."""
        return self._array("labels")

    @property
    def brain(self) -> np.ndarray:
        """uint8 [n, H, W], 1 in the brain."""
        return self._array("brain")

    @property
    def domains(self) -> np.ndarray:
        """uint8 [n, H, W], domain ids, 0 in the background."""
        return self._array("domains")

    @property
    def source(self) -> np.ndarray:
        """float16 [n, M, H, W] in [0, 1], the slices from which layouts were made."""
        return self._array("source")

    def keep(self, wanted: np.ndarray) -> Self:
        """The slices at the positions `wanted`, or where the boolean array `wanted` is true."""
        rows = np.arange(len(self))[wanted]
        arrays = {name: array[rows] for name, array in self.arrays.items()}
        return replace(self, table=self.table.iloc[rows].reset_index(drop=True), arrays=arrays)

    def pieces(self, size: int = PIECE) -> Iterator[Self]:
        """The slices in pieces of at most `size`, which fit in memory."""
        for first in range(0, len(self), size):
            yield self.keep(np.arange(first, min(first + size, len(self))))

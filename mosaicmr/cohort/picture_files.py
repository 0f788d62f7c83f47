"""Pictures of subjects on disk, which whoever shows them reads without the code that reads scans."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mosaicmr.io import load_arrays, save_arrays

SIZE = 160  # pixels


@dataclass(frozen=True)
class Picture:
    """An axial plane with its whole field of view; row 0 is anterior, column 0 the patient's right.

    image: uint8 [160, 160], of the first modality; labels: uint8 [160, 160], tumour classes; brain: uint8 [160, 160].
    """

    image: np.ndarray
    labels: np.ndarray
    brain: np.ndarray


def save_pictures(path: str | Path, pictures: Sequence[Picture | None]) -> None:
    """Write pictures, and the places of those that are missing."""
    shape = (len(pictures), SIZE, SIZE)
    arrays = {name: np.zeros(shape, np.uint8) for name in Picture.__dataclass_fields__}
    for row, picture in enumerate(pictures):
        if picture is not None:
            for name, array in vars(picture).items():
                arrays[name][row] = array
    readable = np.array([picture is not None for picture in pictures], np.uint8)
    save_arrays(path, arrays | {"readable": readable})


def load_pictures(path: str | Path) -> list[Picture | None]:
    """Read what `save_pictures` wrote."""
    arrays = load_arrays(path)
    readable = arrays.pop("readable")
    rows = ({name: array[row] for name, array in arrays.items()} for row in range(len(readable)))
    return [Picture(**row) if one else None for row, one in zip(rows, readable, strict=True)]

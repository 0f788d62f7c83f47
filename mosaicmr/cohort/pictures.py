"""A small picture of a subject, with its mask and its brain, to see whether both lie where they should."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mosaicmr.cohort.resampling import frame_field
from mosaicmr.cohort.volumes import Volumes
from mosaicmr.io import load_arrays, save_arrays

SIZE = 160  # pixels
WINDOW = (0.5, 99.5)  # percentiles of the brain that are black and white


@dataclass(frozen=True)
class Picture:
    """An axial plane with its whole field of view; row 0 is anterior, column 0 the patient's right.

    image: uint8 [160, 160], of the first modality; labels: uint8 [160, 160], tumour classes; brain: uint8 [160, 160].
    """

    image: np.ndarray
    labels: np.ndarray
    brain: np.ndarray


def picture_of(volumes: Volumes) -> Picture:
    """The plane with most tumour, or without a tumour the plane with most brain.

    What lies outside the brain is shown as it is in the file: a skull that was left, or a brain that the mask misses.
    """
    labelled, inside = (volumes.labels > 0).sum((0, 1)), volumes.brain.sum((0, 1))
    plane = int((labelled if labelled.any() else inside).argmax())
    frame, only = frame_field(volumes, SIZE), slice(plane, plane + 1)
    values = volumes.images[0]
    low, high = np.percentile(values[volumes.brain], WINDOW) if volumes.brain.any() else (values.min(), values.max())
    grey = np.clip((frame.images(values[..., only])[0] - low) / max(high - low, 1e-6), 0, 1)
    return Picture(
        image=np.rint(255 * grey).astype(np.uint8),
        labels=frame.labels(volumes.labels[..., only])[0],
        brain=(frame.masks(volumes.brain[..., only])[0] >= 0.5).astype(np.uint8),
    )


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

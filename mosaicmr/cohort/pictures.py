"""A small picture of a subject, with its mask and its brain, to see whether both lie where they should."""

from dataclasses import dataclass

import numpy as np

from mosaicmr.cohort.resampling import frame_field
from mosaicmr.cohort.volumes import Volumes

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

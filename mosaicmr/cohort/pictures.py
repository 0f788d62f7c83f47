"""A small picture of a subject, with its mask and its brain, to see whether both lie where they should."""

import numpy as np

from mosaicmr.cohort.picture_files import SIZE, Picture
from mosaicmr.cohort.resampling import frame_field
from mosaicmr.cohort.volumes import Volumes

WINDOW = (0.5, 99.5)  # percentiles of the brain that are black and white


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

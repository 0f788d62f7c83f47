"""Normalisation: MR intensities have no unit, and the brain's percentiles give them a common scale."""

import numpy as np


def normalise_intensities(images: np.ndarray, brain: np.ndarray, percentiles: tuple[float, float]) -> np.ndarray:
    """Map each modality's low and high percentile within the brain to 0 and 1, clip, and set the outside to 0.

    images: float32 [M, ...], volumes or slices; brain: bool [...]; percentiles: low and high, 0 to 100. Returns float32
    of the images' shape, all 0 without a brain. Each image is scaled as a whole, so slices of one subject remain
    comparable; nothing is taken from other subjects.
    """
    normalised = np.zeros_like(images, dtype=np.float32)
    if not brain.any():
        return normalised
    for image, result in zip(images, normalised, strict=True):
        values = image[brain]
        low, high = np.percentile(values, percentiles)
        if high <= low:  # a nearly constant image: fall back on its full range
            low, high = values.min(), values.max()
        result[brain] = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    return normalised

"""Simulated tumours whose looks are drawn anew, so that the words of a prompt go together in any way.

In a patient's scan one tissue shows in all modalities, so a base never sees looks that no tissue gives. Trained on such
scans alone, it draws the looks that it knows instead of those that a prompt asks for. Drawing looks anew is domain
randomisation (Tobin et al. 2017).
"""

import math

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import logit

from mosaicmr.prompts.looks import LookScale, measure_regions

EDGE = 0.7  # pixels: standard deviation of the blur at a region's border
TAILS = 0.03  # of the brightness: rarer values at either end are not drawn
DEVIATIONS = 3.0  # of a region's own: pixels that differ more from its mean do not belong to it
TEXTURE_SPREAD = 0.4  # of the logarithm of the standard deviation
GAINS = (0.4, 2.5)  # of a region's own texture: beyond these, only noise would show


def free_some_looks(
    shard: dict[str, np.ndarray],
    modalities: tuple[str, ...],
    pixel_size: float,
    scale: LookScale,
    share: float,
    generator: np.random.Generator,
) -> None:
    """Draw the tumour's looks anew on some slices of a shard (see `simulate_shard`); changes its images.

    share: probability of each slice.
    """
    for index, images in enumerate(shard["images"]):
        if generator.random() < share:
            labels, brain = shard["labels"][index], shard["brain"][index]
            drawn = redraw_looks(images / 255.0, labels, modalities, pixel_size, scale, generator)
            # The border of a region may reach beyond the brain.
            shard["images"][index] = np.round(drawn * 255) * (brain > 0)


def redraw_looks(
    images: np.ndarray,
    labels: np.ndarray,
    modalities: tuple[str, ...],
    pixel_size: float,
    scale: LookScale,
    generator: np.random.Generator,
) -> np.ndarray:
    """Draw brightness and texture of every tumour class in every modality of one slice anew, independently.

    images: float [M, H, W] in [0, 1] of `modalities`; labels: uint8 [H, W], tumour classes; pixel_size: mm. Returns
    float64 [M, H, W] in [0, 1]. Brightness is drawn from the logistic distribution that has the scale's thirds, so that
    each word comes about equally often. The blurred border of a region, the end of the range and GAINS weaken some of
    the change. Regions too small to be measured stay.
    """
    changes = np.zeros(images.shape)
    for value, modality, mean, deviation in measure_regions(images, labels, modalities, pixel_size).itertuples(
        index=False
    ):
        bounds = scale.bounds.get((value, modality))
        if bounds is None:
            continue
        target = draw_brightness(bounds[:2], generator)
        rough = bounds[2] * math.exp(TEXTURE_SPREAD * generator.standard_normal())
        gain = float(np.clip(rough / max(deviation, 1e-6), *GAINS))
        index = modalities.index(modality)
        own = np.clip(images[index] - mean, -DEVIATIONS * deviation, DEVIATIONS * deviation)
        inside = gaussian_filter((labels == value).astype(np.float64), EDGE)
        changes[index] += inside * (target - mean + (gain - 1) * own)
    return np.clip(images + changes, 0, 1)


def draw_brightness(thirds: tuple[float, float], generator: np.random.Generator) -> float:
    """A mean intensity in [0, 1] from the logistic distribution whose thirds these are, without its tails."""
    lower, upper = thirds
    spread = (upper - lower) / (2 * math.log(2))
    drawn = (lower + upper) / 2 + spread * logit(generator.uniform(TAILS, 1 - TAILS))
    return float(np.clip(drawn, 0, 1))

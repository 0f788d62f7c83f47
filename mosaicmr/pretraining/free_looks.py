"""Simulated tumours whose looks are drawn anew, so that the words of a prompt go together in any way.

In a patient's scan one tissue shows in all modalities, and looks that no tissue gives are never seen. A base trained on
such scans alone draws what it knows instead of what is asked for (domain randomisation, Tobin et al. 2017, for looks).
"""

import math

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import logit

from mosaicmr.prompts.looks import LookScale, measure_regions

EDGE = 0.7  # pixels, as labels are: standard deviation of the blur at a region's border
TAILS = 0.03  # of the brightness: what is rarer is not drawn, at either end
DEVIATIONS = 3.0  # of a region's own: what differs more from its mean does not belong to it
TEXTURE_SPREAD = 0.4  # of the logarithm of the standard deviation
GAINS = (0.4, 2.5)  # of a region's own texture: beyond, noise would be all that shows


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
    """One slice with every tumour class in every modality about as bright and as rough as drawn, independently.

    images: float [M, H, W] in [0, 1] of `modalities`; labels: uint8 [H, W], tumour classes; pixel_size: mm. Returns
    float64 [M, H, W] in [0, 1]. Brightness is drawn from the logistic distribution that has the scale's thirds, so that
    each word comes about equally often; the blurred border of a region, the end of the range and GAINS hold some of it
    back. Regions too small to be measured stay.
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

"""Merging of renderings: feathered weights across the borders of domains, a partition of unity on the brain."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import distance_transform_edt


def feathered_weights(domains: np.ndarray, ids: Sequence[int], feather: float, pixel_size: float) -> np.ndarray:
    """Weights by which each domain contributes to each pixel, rising smoothly across the borders between domains.

    domains: uint8 [H, W], domain ids. ids: the domains that share the image. Pixels of other ids get no weight at all;
    the border to them (with ids 1..D, the outline of the brain) is sharp and does not disturb the weights beside it.
    feather: width in mm over which one domain gives way to the next, centred on their border; 0 gives hard borders.
    pixel_size: mm.
    Returns float32 [len(ids), H, W] in [0, 1] that add up to 1 on every pixel of `ids`.
    """
    shared = np.isin(domains, ids)
    depth = _signed_depth(domains, ids) * pixel_size
    ramps = _smooth_step(0.5 + depth / feather) if feather > 0 else (depth > 0).astype(np.float64)
    total = ramps.sum(axis=0)
    # A pixel lies at least half a pixel inside its own domain, so its total is above one half.
    return np.where(shared, ramps / np.where(shared, total, 1), 0).astype(np.float32)


def _signed_depth(domains: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """How deep each pixel lies in each domain, in pixels: positive inside, negative outside; float64 [len(ids), H, W].

    Depth is measured to the nearest pixel of *another domain of `ids`*, not to the background, so the depths of the two
    domains at a border are each other's negatives also where that border meets the outline of the brain.
    """
    # Distance to each domain, 0 inside it and infinite where the slice has none.
    distances = np.full((len(ids), *domains.shape), np.inf)
    for index, domain in enumerate(ids):
        outside = domains != domain
        if not outside.all():
            distances[index] = distance_transform_edt(outside)
    depth = np.empty_like(distances)
    for index in range(len(ids)):
        others = np.delete(distances, index, axis=0).min(axis=0, initial=np.inf)
        inside = distances[index] == 0
        # Centres of neighbouring pixels are one apart and the border runs halfway between them.
        depth[index] = np.where(inside, others - 0.5, 0.5 - distances[index])
    return depth


def _smooth_step(position: np.ndarray) -> np.ndarray:
    """3x² - 2x³ on [0, 1] and flat outside, for which f(x) + f(1 - x) = 1."""
    position = np.clip(position, 0, 1)
    return position**2 * (3 - 2 * position)


def merge_renderings(renderings: np.ndarray, domains: np.ndarray, feather: float, pixel_size: float) -> np.ndarray:
    """Merge every domain's rendering of a slice into one slice.

    renderings: float16 [n, D, M, H, W] in [0, 1], domain ids 1..D in this order. domains: uint8 [n, H, W].
    feather, pixel_size: mm (see `feathered_weights`).
    Returns float16 [n, M, H, W] in [0, 1], exactly 0 where `domains` is 0.
    """
    ids = range(1, renderings.shape[1] + 1)
    merged = np.empty((len(renderings), *renderings.shape[2:]), np.float16)
    for index, layout in enumerate(domains):
        weights = feathered_weights(layout, ids, feather, pixel_size)
        merged[index] = np.einsum("dhw,dmhw->mhw", weights, renderings[index].astype(np.float32))
    return merged

"""Checks of what a subject's images show: a plain background, one brain without its skull, and some contrast."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np

from mosaicmr.scans.brain import Background, find_background, outermost, second_background
from mosaicmr.scans.findings import Finding, doubtful, refused
from mosaicmr.scans.skull import MOST_BRAIN_VOLUME, RING, head_mask, ring_share

STRIP = "strip the skull (docs/cohorts.md names tools)"
SET_BACKGROUND = "set everything outside the brain to one value, for example 0"

VoxelSize = tuple[float, float, float]


def check_background(values: np.ndarray, voxel_size: VoxelSize, path: Path) -> tuple[Background, list[Finding]]:
    """The background of an image float32 [X, Y, Z], and a refusal if it has none or shows a single value."""
    background = find_background(values)
    if values.max() <= values.min():
        reason = f"is empty, all its voxels are {values.flat[0]:g}"
        return background, [refused(path, reason, "replace it, or remove the subject")]
    if background.plain:
        return background, []
    reason = (
        f"has no plain background, the commonest value of its border ({background.value:g}) fills "
        f"{100 * background.share:.0f} % of it"
    )
    if ring_share(values, head_mask(values), voxel_size) >= RING:
        return background, [refused(path, f"{reason}, and it shows a head with its skull", STRIP)]
    return background, [refused(path, reason, f"{SET_BACKGROUND}; if it shows a head, {STRIP}")]


def check_images(
    images: np.ndarray, brain: np.ndarray, voxel_size: VoxelSize, files: Mapping[str, Path]
) -> Iterator[Finding]:
    """Findings about a subject's images within their common brain.

    images: float32 [M, X, Y, Z], in the order of `files` (by modality); brain: bool [X, Y, Z]; voxel_size: mm.
    """
    shell = outermost(brain)
    for values, path in zip(images, files.values(), strict=True):
        inside = values[brain]
        if inside.size == 0 or inside.max() <= inside.min():
            found = f"{inside[0]:g}" if inside.size else "none"
            yield refused(path, f"has the same value {found} all over the brain", "replace it")
            continue
        second = second_background(values, brain, shell)
        if second is not None:
            yield refused(path, f"has a second background of {second:g} around the brain", SET_BACKGROUND)
            continue
        share = ring_share(values, brain, voxel_size)
        if share >= RING:
            ring = f"bone is dark between scalp and brain on {100 * share:.0f} % of its upper surface"
            yield refused(path, f"shows a head with its skull, {ring}", STRIP)
    litres, most = brain.sum() * float(np.prod(voxel_size)) / 1e6, MOST_BRAIN_VOLUME / 1e6
    if litres > most:
        reason = f"shows {litres:.1f} litres that differ from the background (expected a brain of up to {most:g})"
        yield refused(next(iter(files.values())), reason, f"correct the voxel size; if it shows a head, {STRIP}")
    for (one, first), (other, second) in combinations(enumerate(files.values()), 2):
        if np.array_equal(images[one], images[other]):
            yield doubtful(second, f"has the same voxels as {first}", "see that no modality is a copy of another")

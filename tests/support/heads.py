"""Simulated heads: the atlas's brain as a scanner sees it, bare or within fluid, bone, scalp, face and neck."""

from functools import lru_cache

import numpy as np
from scipy import ndimage

from mosaicmr.simulation.anatomy import load_anatomy

VOXEL = 3.0  # mm
# Signals of CSF, grey and white matter, bone and scalp; with the fat of the scalp suppressed, it is darker.
CONTRASTS = {
    "T1": (0.25, 0.6, 0.9, 0.08, 1.2),
    "T2": (1.6, 0.75, 0.55, 0.08, 0.9),
    "FLAIR": (0.12, 0.8, 0.65, 0.06, 0.8),
    "T1ce": (0.25, 0.65, 0.9, 0.08, 1.3),
    "fat-suppressed FLAIR": (0.12, 0.8, 0.65, 0.05, 0.35),
}


@lru_cache(maxsize=1)
def tissues() -> tuple[np.ndarray, np.ndarray]:
    """Fractions of CSF, grey and white matter [3, X, Y, Z] at VOXEL mm with room around the head, and the brain."""
    maps = load_anatomy().maps[:3].numpy()
    blurred = ndimage.uniform_filter(maps, (0, 3, 3, 3))[:, 1::3, 1::3, 1::3]
    padded = np.pad(blurred, ((0, 0), (12, 12), (12, 12), (16, 10)))
    return padded, ndimage.binary_fill_holes(padded.sum(axis=0) > 0.5)


def brain_image(contrast: str, seed: int = 0, noise: float = 0.02) -> np.ndarray:
    """A skull-stripped image float32 [X, Y, Z], about 0 to 1600; the background is 0."""
    fractions, brain = tissues()
    signals = np.array(CONTRASTS[contrast][:3]).reshape(3, 1, 1, 1)
    image = (fractions * signals).sum(axis=0) + noise * np.random.default_rng(seed).standard_normal(brain.shape)
    return (1000 * np.maximum(image, 0.01) * brain).astype(np.float32)


def head_image(
    contrast: str, bone: float = 6.0, scalp: float = 7.0, noise: float = 0.02, masked: bool = False, seed: int = 0
) -> np.ndarray:
    """The same brain in a whole head, float32 [X, Y, Z]; bone and scalp: mm; noise: its spread over the signal.

    The background is noise as in a magnitude image, or 0 if masked.
    """
    fractions, brain = tissues()
    fluid, _, _, dark, bright = CONTRASTS[contrast]
    outside = ndimage.distance_transform_edt(~brain) * VOXEL
    image = (fractions * np.array(CONTRASTS[contrast][:3]).reshape(3, 1, 1, 1)).sum(axis=0)
    image = np.where(
        brain, image, np.select([outside < 3, outside < 3 + bone, outside < 3 + bone + scalp], [fluid, dark, bright], 0)
    )
    image += bright * (_face_and_neck() & (outside >= 3 + bone + scalp))
    image = ndimage.gaussian_filter(image, 0.4)
    rng = np.random.default_rng(seed)
    image = np.hypot(image + noise * rng.standard_normal(image.shape), noise * rng.standard_normal(image.shape))
    if masked:
        image *= ndimage.binary_closing((outside < 3 + bone + scalp) | _face_and_neck(), iterations=2)
    return (1000 * image).astype(np.float32)


def _face_and_neck() -> np.ndarray:
    """The soft parts below the brain: a column for the neck and a block for the face."""
    _, brain = tissues()
    x, y, z = (
        np.arange(side) - where for side, where in zip(brain.shape, np.argwhere(brain).mean(axis=0), strict=True)
    )
    x, y, z = x[:, None, None] * VOXEL, y[None, :, None] * VOXEL, z[None, None, :] * VOXEL
    neck = (x**2 + (y + 15) ** 2 < 60**2) & (z < -45)
    face = (np.abs(x) < 55) & (y > 0) & (y < 95) & (z < -35)
    return neck | face

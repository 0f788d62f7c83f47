"""The brain of skull-stripped images: everything that differs from their background, whatever value that has."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

# A background is plain if one value fills this share of the volume's border. A brain that is cut off by the border, in
# a slab of few planes, leaves more than that to the background.
LEAST_BORDER = 0.2
# ... and if what differs from it on the border lies in patches, as a brain does, rather than scattered, as noise does:
# the share of such voxels that no neighbour in their plane resembles, or all of them if they are few.
MOST_SCATTERED = 0.5
FEW = 0.02
# Interpolation leaves rounding errors of float32 in a background that is not 0.
ROUNDING = 8 * float(np.finfo(np.float32).eps)
# A second background, such as the padding of an image whose own background is not 0: one value in most of the
# outermost voxels of the brain, and in more than this share of all, but not in nearly all as in a flat image.
SECOND_IN_SHELL, SECOND_IN_BRAIN, NEARLY_ALL = 0.5, 0.2, 0.95


@dataclass(frozen=True)
class Background:
    """The commonest value of a volume's border, the share of the border that has it, and whether it is plain."""

    value: float
    share: float
    plain: bool


def find_background(values: np.ndarray) -> Background:
    """The background of an image float32 [X, Y, Z], read from the six faces of the volume."""
    faces = [values.take(index, axis) for axis in range(3) for index in (0, -1)]
    border, counts = np.unique(np.concatenate([face.ravel() for face in faces]), return_counts=True)
    value = float(border[counts.argmax()])
    others = [differs(face, value) for face in faces]
    total = sum(other.size for other in others)
    found = sum(int(other.sum()) for other in others)
    inside = sum(int(ndimage.binary_erosion(other, border_value=1).sum()) for other in others)
    share = 1 - found / total
    scattered = found > FEW * total and inside < MOST_SCATTERED * found
    return Background(value, share, share >= LEAST_BORDER and not scattered)


def differs(values: np.ndarray, background: float) -> np.ndarray:
    """Where values differ from a background, beyond rounding; bool of the same shape."""
    if background == 0:
        return values != 0
    return np.abs(values - np.float32(background)) > ROUNDING * abs(background)


def foreground(images: np.ndarray, backgrounds: Sequence[float]) -> np.ndarray:
    """Where any image differs from its background.

    images: float32 [M, X, Y, Z]; backgrounds: the value of each. Returns bool [X, Y, Z].
    """
    found = np.zeros(images.shape[1:], bool)
    for values, background in zip(images, backgrounds, strict=True):
        found |= differs(values, background)
    return found


def brain_mask(candidate: np.ndarray) -> np.ndarray:
    """The brain among voxels that may belong to it: their largest piece, holes filled; bool [X, Y, Z] both.

    The candidates of skull-stripped images are their foreground and the annotated tumour.
    """
    pieces, count = ndimage.label(candidate)
    if count > 1:
        candidate = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
    return ndimage.binary_fill_holes(candidate)


def outermost(brain: np.ndarray) -> np.ndarray:
    """The voxels of a brain, bool [X, Y, Z], that touch its outside."""
    return brain & ~ndimage.binary_erosion(brain)


def second_background(values: np.ndarray, brain: np.ndarray, shell: np.ndarray) -> float | None:
    """The value of most of a brain's outermost voxels, if it is common in the brain but not all of it; else None.

    values: float32 [X, Y, Z]; brain, shell: bool [X, Y, Z], the brain and its outermost voxels.
    """
    found, counts = np.unique(values[shell], return_counts=True)
    if counts.size == 0 or counts.max() <= SECOND_IN_SHELL * counts.sum():
        return None
    value = float(found[counts.argmax()])
    share = np.mean(values[brain] == value)
    return value if SECOND_IN_BRAIN < share < NEARLY_ALL else None

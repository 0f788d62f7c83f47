"""In-plane resampling by two small matrices: turn, scale, smooth against aliasing, centre and pad in one step."""

from dataclasses import dataclass

import numpy as np

from mosaicmr.cohort.volumes import Volumes
from mosaicmr.errors import InputError

# Half width of the filter in pixels, where that is more than a voxel: a triangle as wide as the pixels' distance keeps
# images free of aliasing; for masks, a triangle within the pixel itself keeps corners and thin rims.
IMAGE_SUPPORT = 1.0
MASK_SUPPORT = 0.5
LONGEST_BRAIN = 210.0  # mm; the longest brains measure about 195 mm from front to back
RAISE = "raise one of them"
STRIP = f"no brain is longer than {LONGEST_BRAIN:.0f} mm, so strip the skull or correct the voxel size"


@dataclass(frozen=True)
class Frame:
    """Position of a subject's slices in its volumes: matrices [size, voxels] for rows (front to back) and columns
    (patient's right to left, as a radiologist looks), one pair for images and one for masks.
    """

    image_rows: np.ndarray
    image_columns: np.ndarray
    mask_rows: np.ndarray
    mask_columns: np.ndarray

    def images(self, planes: np.ndarray) -> np.ndarray:
        """Resample planes [..., X, Y, n] of intensities; returns float32 [..., n, H, W]."""
        return _apply(planes, self.image_rows, self.image_columns)

    def masks(self, planes: np.ndarray) -> np.ndarray:
        """The share (0 to 1) of each pixel that a mask [X, Y, n] covers; returns float32 [n, H, W]."""
        return _apply(planes, self.mask_rows, self.mask_columns)

    def labels(self, planes: np.ndarray) -> np.ndarray:
        """Resample label planes [X, Y, n]: each class as its own mask, then the largest; uint8 [n, H, W]."""
        classes = [0, *(int(value) for value in np.unique(planes) if value)]
        shares = [self.masks(planes == value) for value in classes[1:]]
        shares.insert(0, 1 - (sum(shares) if shares else self.masks(np.zeros_like(planes))))
        return np.asarray(classes, np.uint8)[np.argmax(shares, axis=0)]


def frame_brain(volumes: Volumes, size: int, pixel_size: float, source: str) -> Frame:
    """The frame of `size` pixels of `pixel_size` mm centred on the bounding box of the brain.

    Raises InputError, naming `source` and the configuration's keys, if the brain is larger than that.
    """
    matrices = {}
    for name, axis, direction in (("rows", 1, "front to back"), ("columns", 0, "side to side")):
        spacing = volumes.voxel_size[axis]
        inside = np.flatnonzero(volumes.brain.any(axis=tuple({0, 1, 2} - {axis})))
        extent = (inside[-1] - inside[0] + 1) * spacing
        if extent > size * pixel_size:
            raise InputError(
                f"the brain in {source} measures {extent:.0f} mm from {direction}, but a slice only "
                f"{size * pixel_size:.0f} mm (cohort.slice_size {size} px of cohort.pixel_size {pixel_size:g} mm): "
                f"{RAISE if extent <= LONGEST_BRAIN else STRIP}."
            )
        # Where pixels are as large as voxels, they coincide and nothing is interpolated.
        centre = np.floor((inside[0] + inside[-1]) / 2) + (0.0 if size % 2 else 0.5)
        count = volumes.brain.shape[axis]
        for kind, support in (("image", IMAGE_SUPPORT), ("mask", MASK_SUPPORT)):
            matrices[f"{kind}_{name}"] = resampling_matrix(count, spacing, size, pixel_size, centre, support)
    return Frame(**matrices)


def frame_field(volumes: Volumes, size: int) -> Frame:
    """The frame of `size` pixels that shows the whole field of view of a subject, whatever lies in it."""
    counts = volumes.brain.shape
    pixel_size = max(counts[axis] * volumes.voxel_size[axis] for axis in (0, 1)) / size
    matrices = [
        resampling_matrix(counts[axis], volumes.voxel_size[axis], size, pixel_size, (counts[axis] - 1) / 2, support)
        for support in (IMAGE_SUPPORT, MASK_SUPPORT)
        for axis in (1, 0)
    ]
    return Frame(*matrices)


def resampling_matrix(
    count: int, spacing: float, size: int, pixel_size: float, centre: float, support: float = IMAGE_SUPPORT
) -> np.ndarray:
    """Weights float32 [size, count] that resample `count` voxels of `spacing` mm to `size` pixels of `pixel_size` mm.

    Pixels run against the voxels: canonical axes point to the patient's right and front, a picture's start there.
    centre: voxel coordinate of the middle of the pixels; support: half width of the triangle filter in pixels, at least
    a voxel, where it is linear interpolation. Weights fade to 0 beyond the volume.
    """
    scale = pixel_size / spacing
    positions = centre - (np.arange(size) - (size - 1) / 2) * scale
    width = max(1.0, support * scale)
    # The sum over an endless row of voxels, so that weights fall off, rather than grow, at the volume's border.
    reach = int(np.ceil(width)) + 1
    around = np.floor(positions)[:, None] + np.arange(-reach, reach + 2)
    total = np.maximum(0, 1 - np.abs(around - positions[:, None]) / width).sum(axis=1, keepdims=True)
    weights = np.maximum(0, 1 - np.abs(np.arange(count) - positions[:, None]) / width)
    return (weights / total).astype(np.float32)


def _apply(planes: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    stacked = np.moveaxis(planes, -1, -3).astype(np.float32)
    return rows @ np.swapaxes(stacked, -1, -2) @ columns.T

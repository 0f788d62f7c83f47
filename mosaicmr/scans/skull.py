"""Detection of a head that still has its skull, by the dark ring of bone between scalp and brain.

From a point in the upper half of the head, rays run up and to all sides. Along each, depths count from where the head
begins. A head is bright in the scalp, dark in the bone (which gives no signal in any sequence) and bright again in the
brain. Profiles are averaged over patches of neighbouring rays, because a sulcus
is dark too, but not below a whole patch.
"""

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

STEP = 1.5  # mm along a ray
REACH = 130.0  # mm: more than from the centre of a head to its skin
LEAST_PIECE = 0.01  # of the largest piece
DEPTH = 36.0  # mm below the surface that a profile shows
CENTRE_BELOW_TOP = 85.0  # mm: about the middle of the brain below the skin
LEAST_RAYS = 0.3  # of all that must begin outside the head for a verdict
# Bone in a profile, at these depths (mm): darker than this share of the brightest outside it and of the brain inside.
DARK = 0.5
BONE_DEPTHS = (3.0, 24.0)
BRAIN_DEPTHS = (16.0, 36.0)
# The share of patches with a dark ring. Stripped brains of 60 patients, real and simulated, stay at 0.2 or below; heads
# simulated around them reach 0.59 to 1.
RING = 0.5
MOST_BRAIN_VOLUME = 2.3e6  # mm³: the largest brains with all their fluid stay below 2.1 litres


def ring_share(values: np.ndarray, head: np.ndarray, voxel_size: tuple[float, float, float]) -> float:
    """The share (0 to 1) of patches of a head's upper surface that show scalp, bone and brain; 0 without a verdict.

    values: float32 [X, Y, Z] in canonical orientation (RAS+); head: bool [X, Y, Z], what is not background, without
    holes; voxel_size: mm along x, y and z.
    """
    size = np.asarray(voxel_size)
    inside = [np.flatnonzero(head.any(axis=tuple({0, 1, 2} - {axis}))) * size[axis] for axis in range(3)]
    if not inside[0].size:
        return 0.0
    low, high = (np.array([pick(side) for side in inside]) for pick in (np.min, np.max))
    centre = (low + high) / 2
    centre[2] = max(high[2] - CENTRE_BELOW_TOP, centre[2])
    patches = _directions()
    points = centre + patches[..., None, :] * np.arange(REACH, 0, -STEP)[:, None]
    index = np.moveaxis(points / size, -1, 0)
    place = np.rint(index).astype(int)
    within = ((place >= 0) & (place < np.array(head.shape)[:, None, None, None])).all(axis=0)
    hit = within & head[tuple(np.clip(place, 0, np.array(head.shape)[:, None, None, None] - 1))]
    first = hit.argmax(axis=-1)
    # A ray that is in the head where it enters the volume shows no surface.
    seen = hit.any(axis=-1) & (first > 0) & np.take_along_axis(within, np.maximum(first - 1, 0)[..., None], -1)[..., 0]
    if seen.mean() < LEAST_RAYS:
        return 0.0
    steps = np.clip(first[..., None] + np.arange(int(DEPTH / STEP)), 0, index.shape[-1] - 1)
    index = np.take_along_axis(index, steps[None], axis=-1)
    profiles = ndimage.map_coordinates(values, index, order=1, mode="nearest")
    return _share_with_ring(profiles - np.percentile(values[head], 2), seen)


def head_mask(values: np.ndarray) -> np.ndarray:
    """The head in an image whose background is not plain: what is clearly brighter than it, with holes filled.

    values: float32 [X, Y, Z]. Returns bool [X, Y, Z]. Scalp and brain may be pieces of their own; specks are left out.
    """
    smooth = ndimage.gaussian_filter(values, 0.7)
    sample = smooth[::2, ::2, ::2] if min(smooth.shape) > 16 else smooth
    low, high = np.percentile(sample, (5, 99))
    if high <= low:
        return np.zeros(values.shape, bool)
    bright = smooth - low > threshold_otsu(np.clip(sample - low, 0, high - low)) / 2
    pieces, _ = ndimage.label(bright)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return ndimage.binary_fill_holes((sizes >= LEAST_PIECE * sizes.max())[pieces] & bright)


def _directions() -> np.ndarray:
    """Unit vectors [patches, rays, 3] over the upper half of the sphere, from the horizontal to nearly upright."""
    patches = []
    for elevation, around in ((5, 16), (25, 14), (45, 10), (65, 6)):
        for turn in range(around):
            rise = np.radians(elevation + np.array([-4.0, 0.0, 4.0]))[:, None]
            angle = 2 * np.pi / around * (turn + np.array([-0.36, -0.18, 0.0, 0.18, 0.36]))[None]
            parts = (np.cos(rise) * np.cos(angle), np.cos(rise) * np.sin(angle), np.sin(rise) + 0 * angle)
            patches.append(np.stack([part.ravel() for part in parts], axis=-1))
    return np.stack(patches)


def _share_with_ring(profiles: np.ndarray, seen: np.ndarray) -> float:
    """The share of patches with a dark ring.

    profiles: [patches, rays, depths], 0 for the darkest; seen: bool [patches, rays].
    """
    used = seen.mean(axis=1) >= 0.5
    mean = (profiles * seen[..., None]).sum(axis=1)[used] / seen.sum(axis=1)[used][:, None]
    depths = np.arange(mean.shape[1]) * STEP
    bone = np.flatnonzero((depths >= BONE_DEPTHS[0]) & (depths <= BONE_DEPTHS[1]))
    brain = np.median(mean[:, (depths >= BRAIN_DEPTHS[0]) & (depths <= BRAIN_DEPTHS[1])], axis=1)
    outside = np.maximum.accumulate(mean, axis=1)[:, bone]
    ring = (mean[:, bone] < DARK * np.minimum(outside, brain[:, None])).any(axis=1)
    return float(ring.mean()) if used.any() else 0.0

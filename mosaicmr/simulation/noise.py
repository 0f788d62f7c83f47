"""Smooth random fields: textures, bias fields and irregular outlines are all drawn from the same kind of noise.

Independent normal values stand on a coarse grid and are interpolated to the fine grid, so that the field varies over
about the distance between two coarse values. That needs one small draw and one pass, whatever the length.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

# By number of axes: the interpolation, and the factor that restores the variance lost by interpolation.
INTERPOLATIONS = {2: ("bicubic", 1.3), 3: ("trilinear", 1.5)}


def noise_field(
    generator: torch.Generator, shape: Sequence[int], extent: Sequence[float], length: float
) -> torch.Tensor:
    """Noise float32 of a 2D or 3D `shape`, mean 0, about unit variance, that varies over `length` mm.

    extent: size of the field along each axis in mm, of its voxels or of the gaps between them, as suits the caller.
    There are at least two coarse values along each axis, so a length beyond the extent gives a slope.
    """
    mode, gain = INTERPOLATIONS[len(shape)]
    counts = [max(2, round(side / length) + 1) for side in extent]
    coarse = torch.randn(1, 1, *counts, generator=generator)
    return gain * F.interpolate(coarse, size=tuple(shape), mode=mode, align_corners=True)[0, 0]

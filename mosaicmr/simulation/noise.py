"""Smooth random fields, from which simulated slices take their shapes and textures."""

import torch
import torch.nn.functional as F


def smooth_field(generator: torch.Generator, size: int, spacing: float, length: float) -> torch.Tensor:
    """Noise [size, size] of about unit variance that varies over `length` mm, at `spacing` mm a pixel."""
    count = max(2, round(size * spacing / length) + 1)
    coarse = torch.randn(1, 1, count, count, generator=generator)
    return 1.3 * F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True)[0, 0]

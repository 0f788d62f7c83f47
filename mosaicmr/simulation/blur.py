"""Gaussian blur: the point spread of a scanner, and the scale at which tissue is averaged or pushed."""

import torch
from scipy import ndimage


def gaussian_blur(values: torch.Tensor, sigma: float) -> torch.Tensor:
    """Blur `values`, float32 of any shape, along every axis.

    sigma: standard deviation in voxels; the kernel ends at three of them. Beyond the border the outer values go on.
    """
    return torch.from_numpy(ndimage.gaussian_filter(values.numpy(), sigma, truncate=3.0, mode="nearest"))

"""Acquisition: the steps from the signal of the tissue to the magnitude image of a scanner.

The coil multiplies the signal by a smooth bias field, the finite resolution blurs it, and both channels of the receiver
add normal noise. The magnitude of the two channels is therefore Rician (Gudbjartsson and Patz, Magn. Reson. Med. 1995).
"""

from dataclasses import dataclass

import torch

from mosaicmr.simulation.blur import gaussian_blur
from mosaicmr.simulation.noise import noise_field


@dataclass(frozen=True)
class Scanner:
    """The faults of one acquisition.

    bias: standard deviation of the logarithm of the bias field; bias_length: mm over which the field varies; blur:
    standard deviation of the point spread in mm; noise: standard deviation of the noise in each channel, relative to
    the mean signal of the brain.
    """

    bias: float
    bias_length: float
    blur: float
    noise: float


def acquire(
    signal: torch.Tensor, brain: torch.Tensor, voxel_size: float, scanner: Scanner, generator: torch.Generator
) -> torch.Tensor:
    """Magnitude image of a signal: bias field, then blur, then Rician noise.

    signal: float32 [H, W] or [X, Y, Z] on square pixels or cubic voxels of `voxel_size` mm; brain: bool of the same
    shape. Returns float32 of that shape, at least 0, with noise outside the brain too; NaN if there is no brain.
    """
    extent = [side * voxel_size for side in signal.shape]
    image = signal * torch.exp(scanner.bias * noise_field(generator, signal.shape, extent, scanner.bias_length))
    image = gaussian_blur(image, scanner.blur / voxel_size)
    level = scanner.noise * float(image[brain].mean())
    noise = torch.randn(2, *signal.shape, generator=generator) * level
    return torch.hypot(image + noise[0], noise[1])

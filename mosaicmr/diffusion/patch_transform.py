"""The linear patch transform that the bundled autoencoder corrects."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class PatchTransform:
    """Principal components of square patches of pixels, scaled to unit variance.

    A network that only learns what this transform misses starts at its quality instead of at noise, and its latents
    keep a plain meaning (the residual autoencoding of Chen et al., Deep Compression Autoencoder, ICLR 2025, with
    principal components in place of averages).
    components: float32 [channels, side^2], orthonormal rows over the pixels of a patch; deviations: float32
    [channels], the standard deviation of each component.
    """

    components: torch.Tensor
    deviations: torch.Tensor

    @classmethod
    def from_components(cls, components: list[list[float]], deviations: list[float]) -> "PatchTransform":
        """Make a transform from the numbers of a JSON file."""
        return cls(torch.tensor(components, dtype=torch.float32), torch.tensor(deviations, dtype=torch.float32))

    @property
    def channels(self) -> int:
        """Latent channels."""
        return self.components.shape[0]

    @property
    def side(self) -> int:
        """Side of a patch in pixels."""
        return round(self.components.shape[1] ** 0.5)

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Latents float [n, channels, H / side, W / side] of pixels [n, 1, H, W] in [-1, 1]."""
        patches = F.pixel_unshuffle(pixels, self.side)
        analysis = (self.components / self.deviations[:, None]).to(pixels)
        return F.conv2d(patches, analysis[:, :, None, None])

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Pixels float [n, 1, H, W] of latents [n, channels, h, w]."""
        synthesis = (self.components * self.deviations[:, None]).T.to(latents)
        patches = F.conv2d(latents, synthesis[:, :, None, None])
        return F.pixel_shuffle(patches, self.side)

"""Slices to latents and back: an autoencoder that sees one modality at a time, and so fits any set of modalities."""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from mosaicmr.diffusion.base_kind import FACTS
from mosaicmr.diffusion.patch_transform import PatchTransform
from mosaicmr.io import load_json

BACKGROUND_CEILING = 0.02  # decoded values below it are background: no tissue of a normalised scan is that dark


@dataclass(frozen=True)
class Codec:
    """A diffusers AutoencoderKL, and the steps that turn slices into its inputs.

    unshuffle: side of the pixel blocks folded into channels before encoding (1 for none); colours: channels that a
    grey image is repeated to (3 for Stable Diffusion); mean, std: float [channels], so that normalised latents have
    about zero mean and, over all channels, unit variance; transform: the linear transform that the autoencoder corrects
    in latents and slices, None for a codec without it.
    """

    autoencoder: AutoencoderKL
    unshuffle: int
    colours: int
    mean: torch.Tensor
    std: torch.Tensor
    transform: PatchTransform | None = None

    @classmethod
    def bundled(cls, folder: str | Path) -> "Codec":
        """The codec of a bundled base: `folder` holds vae/ and mosaicmr.json."""
        facts = load_json(Path(folder) / FACTS)
        autoencoder = AutoencoderKL.from_pretrained(
            Path(folder) / "vae", use_safetensors=True, torch_dtype=torch.float32
        )
        mean, std = (torch.tensor(facts[name], dtype=torch.float32) for name in ("latent_mean", "latent_std"))
        transform = PatchTransform.from_components(facts["components"], facts["deviations"])
        return cls(autoencoder.eval(), facts["pixel_unshuffle"], 1, mean, std, transform)

    @classmethod
    def stable_diffusion(cls, autoencoder: AutoencoderKL) -> "Codec":
        """The codec of a Stable Diffusion model: grey as RGB, latents times the autoencoder's scaling factor."""
        channels = autoencoder.config.latent_channels
        mean = torch.full((channels,), float(autoencoder.config.shift_factor or 0.0))
        std = torch.full((channels,), 1.0 / float(autoencoder.config.scaling_factor))
        return cls(autoencoder.eval(), 1, autoencoder.config.in_channels, mean, std)

    @property
    def channels(self) -> int:
        """Latent channels of one modality."""
        return self.mean.numel()

    @property
    def downsampling(self) -> int:
        """Side of a slice divided by the side of its latents."""
        return self.unshuffle * 2 ** (len(self.autoencoder.config.block_out_channels) - 1)

    @property
    def device(self) -> torch.device:
        """The device of the autoencoder's weights."""
        return self.autoencoder.device

    @torch.no_grad()
    def encode(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation of the posterior of slices.

        images: float32 [n, M, H, W] in [0, 1], H and W multiples of `downsampling`. Returns two float32 tensors
        [n, M * channels, h, w] with h = H / downsampling, normalised; the channels of a modality lie side by side.
        """
        n, modalities, height, width = images.shape
        pixels = images.to(self.device).float().reshape(n * modalities, 1, height, width) * 2 - 1
        folded = F.pixel_unshuffle(pixels, self.unshuffle)
        if self.colours > 1:
            folded = folded.expand(-1, self.colours, -1, -1)
        posterior = self.autoencoder.encode(folded).latent_dist
        mean = posterior.mean if self.transform is None else posterior.mean + self.transform.encode(pixels)
        mean = (mean - self._column(self.mean)) / self._column(self.std)
        std = posterior.std / self._column(self.std)
        return tuple(part.reshape(n, modalities * self.channels, *part.shape[2:]) for part in (mean, std))

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Slices float32 [n, M, H, W] in [0, 1] of normalised latents [n, M * channels, h, w]; dark background is 0."""
        images = self.decode_raw(latents).clamp(0, 1)
        return torch.where(images < BACKGROUND_CEILING, torch.zeros_like(images), images)

    def decode_raw(self, latents: torch.Tensor) -> torch.Tensor:
        """As `decode`, but differentiable: neither clipped to [0, 1] nor with a background of 0."""
        n, stacked, height, width = latents.shape
        each = latents.to(self.device).float().reshape(-1, self.channels, height, width)
        each = each * self._column(self.std) + self._column(self.mean)
        pixels = self.autoencoder.decode(each).sample.float()
        if self.colours > 1:
            pixels = pixels.mean(1, keepdim=True)
        pixels = F.pixel_shuffle(pixels, self.unshuffle)
        if self.transform is not None:
            # In float32 under autocast too: sixteen bits would cost more than the autoencoder's correction gains.
            with torch.autocast(each.device.type, enabled=False):
                pixels = pixels + self.transform.decode(each)
        images = (pixels + 1) / 2
        return images.reshape(n, stacked // self.channels, *images.shape[2:])

    def _column(self, values: torch.Tensor) -> torch.Tensor:
        return values.to(self.device).reshape(1, -1, 1, 1)

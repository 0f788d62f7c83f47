"""The last training of the bundled decoder, alone: it learns to ignore the noise that diffusion leaves in latents.

A U-Net trained for a few hours does not take all noise away. The decoder of an autoencoder never saw any, and turns the
rest into rough tissue. Further training with noisy latents mends this (noise-augmented decoding: Zheng et al., arXiv
2510.11690, section 4.3). The encoder stays as it is, and with it the latents, so the U-Net still fits.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from mosaicmr.diffusion.codec import Codec
from mosaicmr.monitoring.journal import Journal
from mosaicmr.pretraining.autoencoder import draw_modalities, reconstruction_loss
from mosaicmr.pretraining.resuming import train_resumably
from mosaicmr.seeds import torch_generator
from mosaicmr.training.checkpoint import named_tensors
from mosaicmr.training.loop import Trainee
from mosaicmr.training.optimizers import OneOptimizer

WARMUP = 20  # steps


@dataclass(frozen=True)
class DecoderSettings:
    """Schedule of the decoder's last training.

    noise: standard deviation, in units of normalised latents, of the normal distribution whose absolute value is an
    example's own standard deviation of noise.
    """

    steps: int
    batch_size: int
    learning_rate: float
    noise: float
    checkpoint_every: int


def train_decoder(
    images: np.ndarray,
    codec: Codec,
    settings: DecoderSettings,
    seed: int,
    checkpoint: Path,
    device: str,
    journal: Journal,
) -> pd.DataFrame:
    """Train the codec's decoder on single modalities of slices; changes `codec`, and resumes from `checkpoint`.

    images: uint8 [n, M, H, W], 0 to 255. Returns the history, with the loss's parts. The loss is that of the
    autoencoder's own training without the KL divergence, on noisy posterior means. Raises InputError if the loss is
    no longer finite.
    """
    autoencoder = codec.autoencoder.to(device)
    modules = {"decoder": autoencoder.decoder.train(), "post_quant_conv": autoencoder.post_quant_conv}
    weights = [weight for module in modules.values() for weight in module.parameters()]

    def loss(done: int) -> tuple[torch.Tensor, dict[str, float]]:
        generator = torch_generator(seed, "decoder", done)
        batch = draw_modalities(images, settings.batch_size, generator).to(device)
        latents = add_noise(codec.encode(batch)[0], settings.noise, generator)
        with torch.autocast(batch.device.type, torch.bfloat16):
            decoded = codec.decode_raw(latents)
        return reconstruction_loss(decoded, batch)

    trainee = Trainee(
        title="the base's decoder",
        weights=weights,
        optimizer=OneOptimizer(torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=1e-4)),
        tensors=named_tensors(modules),
        loss=loss,
    )
    history = train_resumably("decoder", trainee, settings, WARMUP, seed, checkpoint, journal)
    autoencoder.eval()
    return history


def add_noise(latents: torch.Tensor, noise: float, generator: torch.Generator) -> torch.Tensor:
    """Latents [n, c, h, w] with normal noise, the standard deviation of each example |N(0, noise^2)|.

    Many examples are nearly clean, so that the decoder does not forget to reconstruct.
    """
    spread = noise * torch.randn(len(latents), 1, 1, 1, generator=generator).abs()
    return latents + (spread * torch.randn(latents.shape, generator=generator)).to(latents)

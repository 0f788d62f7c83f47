"""The last training of the bundled decoder, alone: it learns to forgive what diffusion leaves in latents.

A U-Net of a few hours does not take all noise away, and the decoder of an autoencoder, which never saw any, makes flat
tissue rough of what is left. Trained on with noisy latents it does not (noise-augmented decoding: Zheng et al., arXiv
2510.11690, section 4.3). The encoder stays as it is, so the latents do, and the U-Net fits them.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from mosaicmr.diffusion.codec import Codec
from mosaicmr.monitoring.journal import Journal
from mosaicmr.pretraining.autoencoder import RECORD_EVERY, draw_modalities, reconstruction_loss
from mosaicmr.seeds import torch_generator
from mosaicmr.training.rates import cosine_rate, load_checkpoint, require_finite, save_checkpoint, set_rate


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

    images: uint8 [n, M, H, W], 0 to 255. Returns the curve (step, loss, its parts, seconds). The loss is that of the
    autoencoder's own training without the KL divergence, on noisy posterior means. Raises InputError if it is no longer
    finite.
    """
    autoencoder = codec.autoencoder.to(device)
    modules = {"decoder": autoencoder.decoder.train(), "post_quant_conv": autoencoder.post_quant_conv}
    weights = [weight for module in modules.values() for weight in module.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=1e-4)
    first, curve = load_checkpoint(checkpoint, modules, {"adamw": optimizer})
    before = curve[-1]["seconds"] if curve else 0.0
    journal.begin(settings.steps, first)
    for step in range(first, settings.steps):
        set_rate(optimizer, cosine_rate(step, settings.steps, settings.learning_rate, warmup=20))
        generator = torch_generator(seed, "decoder", step)
        batch = draw_modalities(images, settings.batch_size, generator).to(device)
        latents = add_noise(codec.encode(batch)[0], settings.noise, generator)
        with torch.autocast(batch.device.type, torch.bfloat16):
            decoded = codec.decode_raw(latents)
        loss, parts = reconstruction_loss(decoded, batch)
        require_finite(loss.item(), step, "decoder", settings.learning_rate)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        journal.report(step + 1, loss.item(), parts)
        if step % RECORD_EVERY == 0 or step == settings.steps - 1:
            curve.append({"step": step, "loss": loss.item(), **parts, "seconds": before + journal.seconds})
        if (step + 1) % settings.checkpoint_every == 0:
            journal.flush()
            save_checkpoint(checkpoint, step + 1, modules, {"adamw": optimizer}, curve)
    autoencoder.eval()
    return pd.DataFrame(curve)


def add_noise(latents: torch.Tensor, noise: float, generator: torch.Generator) -> torch.Tensor:
    """Latents [n, c, h, w] with normal noise, the standard deviation of each example |N(0, noise^2)|.

    Many examples are nearly clean, so that the decoder does not forget to reconstruct.
    """
    spread = noise * torch.randn(len(latents), 1, 1, 1, generator=generator).abs()
    return latents + (spread * torch.randn(latents.shape, generator=generator)).to(latents)

"""Pretraining of the bundled autoencoder on simulated slices, one modality at a time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from monai.losses.ssim_loss import SSIMLoss

from mosaicmr.diffusion.patch_transform import PatchTransform
from mosaicmr.monitoring.journal import Journal
from mosaicmr.pretraining.resuming import train_resumably
from mosaicmr.seeds import torch_generator
from mosaicmr.training.loop import Trainee
from mosaicmr.training.optimizers import OneOptimizer

UNSHUFFLE = 2  # folding 2x2 pixels into channels quarters the cost of the layers at full resolution
INITIAL_LOG_VARIANCE = -6.0
SSIM_WEIGHT = 0.1
WARMUP = 100  # steps
SSIM_EVERY = 4  # one image in so many of a batch: SSIM costs more than the networks do


@dataclass(frozen=True)
class AutoencoderSettings:
    """Size and schedule of the autoencoder's pretraining."""

    widths: tuple[int, ...]
    latent_channels: int
    steps: int
    batch_size: int
    learning_rate: float
    kl_weight: float
    checkpoint_every: int


def build_autoencoder(settings: AutoencoderSettings) -> AutoencoderKL:
    """A narrow AutoencoderKL (Rombach et al., CVPR 2022) on pixel-unshuffled grey images, without attention."""
    levels = len(settings.widths)
    autoencoder = AutoencoderKL(
        in_channels=UNSHUFFLE**2,
        out_channels=UNSHUFFLE**2,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=settings.widths,
        layers_per_block=1,
        latent_channels=settings.latent_channels,
        norm_num_groups=16,
        mid_block_add_attention=False,
    )
    with torch.no_grad():
        # At first the networks add nothing to the patch transform.
        for tensor in (*autoencoder.quant_conv.parameters(), *autoencoder.decoder.conv_out.parameters()):
            tensor.zero_()
        # A posterior as wide as the prior would drown the signal for the first thousand steps.
        autoencoder.quant_conv.bias[settings.latent_channels :] = INITIAL_LOG_VARIANCE
    return autoencoder


def train_autoencoder(
    images: np.ndarray,
    transform: PatchTransform,
    settings: AutoencoderSettings,
    seed: int,
    checkpoint: Path,
    device: str,
    journal: Journal,
) -> tuple[AutoencoderKL, pd.DataFrame]:
    """Train an autoencoder of what the patch transform misses, on single modalities; resumes from `checkpoint`.

    images: uint8 [n, M, H, W], 0 to 255. Returns the autoencoder and its history, with the loss's parts.
    Loss, on the reconstruction of a posterior sample: L1 of the pixels and of their differences to the next pixel,
    which keeps edges sharp, one minus SSIM, and the weighted KL divergence of each latent value.
    Raises InputError if the loss is no longer finite.
    """
    torch.manual_seed(seed)
    model = build_autoencoder(settings).to(device).train()

    def loss(done: int) -> tuple[torch.Tensor, dict[str, float]]:
        generator = torch_generator(seed, "autoencoder", done)
        batch = draw_modalities(images, settings.batch_size, generator).to(device)
        return _loss(model, transform, batch, settings.kl_weight, generator)

    trainee = Trainee(
        title="the base's autoencoder",
        weights=list(model.parameters()),
        optimizer=OneOptimizer(torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=1e-4)),
        tensors=model.state_dict(),
        loss=loss,
    )
    history = train_resumably("autoencoder", trainee, settings, WARMUP, seed, checkpoint, journal)
    return model.eval(), history


def draw_modalities(images: np.ndarray, batch_size: int, generator: torch.Generator) -> torch.Tensor:
    """A batch of single modalities, about half of them mirrored, each with a random gamma.

    images: slices uint8 [n, M, H, W]. Returns float32 [batch, 1, H, W] in [0, 1].
    """
    rows = torch.randint(len(images), (batch_size,), generator=generator)
    modalities = torch.randint(images.shape[1], (batch_size,), generator=generator)
    batch = torch.from_numpy(np.stack([images[r, m] for r, m in zip(rows.tolist(), modalities.tolist(), strict=True)]))
    batch = batch[:, None].float() / 255
    mirrored = torch.rand(batch_size, generator=generator) < 0.5
    batch[mirrored] = batch[mirrored].flip(-1)
    gamma = torch.exp(0.2 * torch.randn(batch_size, 1, 1, 1, generator=generator))
    return batch**gamma


def _loss(
    model: AutoencoderKL, transform: PatchTransform, batch: torch.Tensor, kl_weight: float, generator: torch.Generator
) -> tuple[torch.Tensor, dict[str, float]]:
    pixels = batch * 2 - 1
    linear = transform.encode(pixels)
    with torch.autocast(batch.device.type, torch.bfloat16):
        posterior = model.encode(F.pixel_unshuffle(pixels, UNSHUFFLE)).latent_dist
    # Added in float32: sixteen bits would cost more than the correction gains.
    noise = torch.randn(linear.shape, generator=generator).to(batch)
    latents = linear + posterior.mean.float() + posterior.std.float() * noise
    with torch.autocast(batch.device.type, torch.bfloat16):
        correction = model.decode(latents).sample
    images = (F.pixel_shuffle(correction.float(), UNSHUFFLE) + transform.decode(latents) + 1) / 2
    loss, parts = reconstruction_loss(images, batch)
    variance = posterior.var.float()
    kl = 0.5 * ((linear + posterior.mean) ** 2 + variance - 1 - posterior.logvar.float()).mean()
    return loss + kl_weight * kl, parts | {"kl": kl.item()}


def reconstruction_loss(images: torch.Tensor, batch: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
    """Distance of decoded images [n, 1, H, W] from those of a batch, both about in [0, 1]: the loss and its parts."""
    l1 = (images - batch).abs().mean()
    edges = sum((images.diff(dim=axis) - batch.diff(dim=axis)).abs().mean() for axis in (-1, -2))
    dissimilarity = SSIMLoss(spatial_dims=2)(images[::SSIM_EVERY], batch[::SSIM_EVERY])
    parts = {"l1": l1, "edges": edges, "dissimilarity": dissimilarity}
    return l1 + edges + SSIM_WEIGHT * dissimilarity, {name: value.item() for name, value in parts.items()}

"""Pretraining of the bundled U-Net on the latents of simulated slices, conditioned on layouts and prompts."""

import copy
import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from mosaicmr.diffusion.conditioning import LAYOUT_CHANNELS
from mosaicmr.diffusion.training import cosine_rate, load_checkpoint, save_checkpoint, set_rate
from mosaicmr.diffusion.unet import choose_attention, predict
from mosaicmr.seeds import torch_generator

logger = logging.getLogger("mosaicmr")


@dataclass(frozen=True)
class UNetSettings:
    """Size and schedule of the U-Net's pretraining."""

    widths: tuple[int, ...]
    layers: int
    steps: int
    batch_size: int
    learning_rate: float
    dropout: float
    average: float
    checkpoint_every: int


@dataclass(frozen=True)
class UNetData:
    """The training set of simulated slices.

    latents: float16 [n, M * c, h, w]; layout: float16 [n, 24, h, w]; present: bool [n, draws, M], the modalities
    that each of a slice's prompts asks for; prompt: int [n, draws], rows of `embeddings` float16 [p, L, D] and
    `mask` uint8 [p, L], whose row 0 is the empty prompt.
    """

    latents: torch.Tensor
    layout: torch.Tensor
    present: torch.Tensor
    prompt: torch.Tensor
    embeddings: torch.Tensor
    mask: torch.Tensor


def build_unet(settings: UNetSettings, latent_channels: int, text_width: int) -> UNet2DConditionModel:
    """A small UNet2DConditionModel with attention to itself and to the prompt at its lower resolutions.

    latent_channels: of all modalities together; the layout's channels are added to the input.
    """
    levels = len(settings.widths)
    return UNet2DConditionModel(
        in_channels=latent_channels + LAYOUT_CHANNELS,
        out_channels=latent_channels,
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * (levels - 1),
        up_block_types=("CrossAttnUpBlock2D",) * (levels - 1) + ("UpBlock2D",),
        block_out_channels=settings.widths,
        layers_per_block=settings.layers,
        cross_attention_dim=text_width,
        # diffusers takes this for the number of heads, whatever its name says (its issue 2011).
        attention_head_dim=4,
        norm_num_groups=16,
    )


def build_schedule() -> DDPMScheduler:
    """Cosine schedule with zero terminal signal-to-noise ratio and v-prediction.

    Lin et al., WACV 2024: without it the mean brightness leaks through the last step and black comes out grey.
    """
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
    )


def train_unet(
    data: UNetData, settings: UNetSettings, seed: int, checkpoint: Path, device: str = "cpu"
) -> tuple[UNet2DConditionModel, pd.DataFrame]:
    """Train on simulated latents; resumes from `checkpoint`.

    Returns the exponential moving average of the weights (Karras et al., CVPR 2024, use it in the same place) and the
    curve (step, loss, seconds).
    """
    torch.manual_seed(seed)
    unet = build_unet(settings, data.latents.shape[1], data.embeddings.shape[-1]).to(device).train()
    averaged = copy.deepcopy(unet).eval()
    choose_attention(unet, torch.device(device), torch.bfloat16)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=settings.learning_rate, weight_decay=1e-2)
    schedule = build_schedule()
    modules = {"unet": unet, "averaged": averaged}
    first = load_checkpoint(checkpoint, modules, optimizer)
    curve, recent, start = [], [], time.monotonic()
    for step in range(first, settings.steps):
        set_rate(optimizer, cosine_rate(step, settings.steps, settings.learning_rate, warmup=200))
        loss = _loss(unet, schedule, data, settings, torch_generator(seed, "unet", step), device)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        _average(averaged, unet, min(settings.average, (1 + step) / (10 + step)))
        recent.append(loss.item())
        if (step + 1) % 25 == 0:
            curve.append({"step": step + 1, "loss": float(np.mean(recent)), "seconds": time.monotonic() - start})
            logger.info("U-Net step %d of %d: loss %.4f", step + 1, settings.steps, np.mean(recent))
            recent = []
        if (step + 1) % settings.checkpoint_every == 0:
            save_checkpoint(checkpoint, step + 1, modules, optimizer)
    return averaged, pd.DataFrame(curve)


def _loss(
    unet: UNet2DConditionModel,
    schedule: DDPMScheduler,
    data: UNetData,
    settings: UNetSettings,
    generator: torch.Generator,
    device: str,
) -> torch.Tensor:
    """Mean squared error of the velocity over the latents of the modalities asked for."""
    batch = settings.batch_size
    rows = torch.randint(len(data.latents), (batch,), generator=generator)
    draws = torch.randint(data.prompt.shape[1], (batch,), generator=generator)
    latents = data.latents[rows].float()
    noise = torch.randn(latents.shape, generator=generator)
    # One timestep in each part of the schedule makes the loss less noisy (Kingma et al. 2021, section I.1).
    spread = (torch.arange(batch) + torch.rand(batch, generator=generator)) / batch
    timesteps = (spread * schedule.config.num_train_timesteps).long()
    channels = latents.shape[1] // data.present.shape[-1]
    present = data.present[rows, draws].repeat_interleave(channels, dim=1)[..., None, None].float()
    noisy = schedule.add_noise(latents, noise, timesteps) * present
    target = schedule.get_velocity(latents, noise, timesteps)
    # Together, because guidance asks for the model without both.
    kept = torch.rand(batch, generator=generator) >= settings.dropout
    prompt = data.prompt[rows, draws] * kept
    layout = data.layout[rows].float() * kept[:, None, None, None]
    inputs = (noisy, timesteps, data.embeddings[prompt].float(), data.mask[prompt], layout)
    with torch.autocast(device, torch.bfloat16):
        prediction = predict(unet, *(part.to(device) for part in inputs)).float()
    error = (prediction - target.to(device)).square() * present.to(device)
    return error.sum() / (present.sum().to(device) * latents.shape[-1] * latents.shape[-2])


@torch.no_grad()
def _average(averaged: torch.nn.Module, module: torch.nn.Module, decay: float) -> None:
    for slow, fast in zip(averaged.parameters(), module.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)

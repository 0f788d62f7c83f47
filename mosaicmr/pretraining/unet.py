"""Pretraining of the bundled U-Net on the latents of simulated slices, conditioned on layouts and prompts.

Muon (Jordan et al. 2024) trains the hidden weight matrices, scaled to AdamW's step as by Liu et al. (arXiv 2502.16982).
At the few thousand steps that a CPU affords, it learns faster than AdamW (benchmarks/README.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from mosaicmr.diffusion.conditioning import LAYOUT_CHANNELS, tumour_fraction
from mosaicmr.diffusion.look_reader import LOOKS, LookReader
from mosaicmr.diffusion.regional_unet import RegionalUNet
from mosaicmr.diffusion.unet import choose_attention, pool_prompt, predict
from mosaicmr.monitoring.journal import Journal
from mosaicmr.pretraining.resuming import train_resumably
from mosaicmr.seeds import torch_generator
from mosaicmr.training.averaging import averaged_trainee

WHITENING_FLOOR = 0.01  # of the mean power: directions below this hold no prompts, only rounding
WARMUP = 100  # steps


@dataclass(frozen=True)
class UNetSettings:
    """Size and schedule of the U-Net's pretraining.

    batch_size: of the smallest slices; larger slices come in smaller batches. tumour_weight: a tumour's latents count 1
    + this in the loss. timestep_shift: s in t' = s t / (1 + (s - 1) t), for timesteps t drawn evenly from 0 to 1; above
    1 it trains more on noise in which brightness is still to be decided (Esser et al., ICML 2024, eq. 23).
    """

    widths: tuple[int, ...]
    layers: int
    steps: int
    batch_size: int
    learning_rate: float
    dropout: float
    ema_decay: float
    tumour_weight: float
    timestep_shift: float
    checkpoint_every: int


@dataclass(frozen=True)
class UNetData:
    """The training set of simulated slices of one size.

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


def build_unet(settings: UNetSettings, latent_channels: int, modalities: int, text_width: int) -> RegionalUNet:
    """A small U-Net with attention to itself and to the prompt at its lower resolutions; its reader is untrained.

    latent_channels: of all modalities together.
    """
    levels = len(settings.widths)
    return RegionalUNet(
        in_channels=latent_channels + LAYOUT_CHANNELS + LOOKS * modalities,
        out_channels=latent_channels,
        modalities=modalities,
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * (levels - 1),
        up_block_types=("CrossAttnUpBlock2D",) * (levels - 1) + ("UpBlock2D",),
        block_out_channels=settings.widths,
        layers_per_block=settings.layers,
        cross_attention_dim=text_width,
        # diffusers takes this for the number of heads, whatever its name says (its issue 2011).
        attention_head_dim=4,
        norm_num_groups=16,
    )


def start_unet(settings: UNetSettings, data: UNetData, reader: LookReader, seed: int) -> RegionalUNet:
    """The U-Net at the start of its training, with the reader of its prompts."""
    torch.manual_seed(seed)
    unet = build_unet(settings, data.latents.shape[1], data.present.shape[-1], data.embeddings.shape[-1])
    spread_prompts(unet, data)
    unet.reader.load_state_dict(reader.state_dict())
    return unet


def build_schedule() -> DDPMScheduler:
    """Cosine schedule with zero terminal signal-to-noise ratio and v-prediction.

    Without it (Lin et al., WACV 2024), the mean brightness leaks through the last step and black comes out grey.
    """
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
    )


@torch.no_grad()
def spread_prompts(unet: RegionalUNet, data: UNetData) -> None:
    """Start the layer that takes the prompt's mean state with weights that whiten it; changes `unet`.

    The mean states of our prompts differ little, and along few directions. Without whitening, a network would take
    thousands of steps to tell them apart.
    """
    pooled = pool_prompt(data.embeddings[1:].float(), data.mask[1:]).double()
    mean = pooled.mean(0)
    covariance = (pooled - mean).T @ (pooled - mean) / len(pooled)
    power, directions = torch.linalg.eigh(covariance)
    whitening = (power + WHITENING_FLOOR * power.mean()).rsqrt()[:, None] * directions.T
    first = unet.class_embedding.linear_1
    first.weight.copy_((first.weight.double() @ whitening).float())
    first.bias.sub_((first.weight.double() @ mean).float())


def train_unet(
    unet: RegionalUNet,
    sets: Sequence[UNetData],
    settings: UNetSettings,
    seed: int,
    checkpoint: Path,
    device: str,
    journal: Journal,
) -> tuple[RegionalUNet, pd.DataFrame]:
    """Train on simulated latents of one or more sizes, each batch of one size; resumes from `checkpoint`.

    journal: its name is that of the training in the config's `pretrain`; each training draws its own slices and noise.
    Returns the exponential moving average of the weights, frozen (Karras et al., CVPR 2024, use it in the same place),
    and the history. Raises InputError if the loss is no longer finite.
    """
    unet = unet.to(device)
    schedule = build_schedule()

    def loss(done: int) -> tuple[torch.Tensor, dict[str, float]]:
        generator = torch_generator(seed, journal.name, done)
        drawn = _draw(sets, settings, generator)
        return training_loss(unet, schedule, drawn, settings, generator, device), {}

    title = f"the base's {journal.name}"
    averaged, trainee = averaged_trainee(title, unet, loss, settings.learning_rate, settings.ema_decay)
    choose_attention(unet, torch.device(device), torch.bfloat16)
    return averaged, train_resumably(journal.name, trainee, settings, WARMUP, seed, checkpoint, journal)


def _draw(sets: Sequence[UNetData], settings: UNetSettings, generator: torch.Generator) -> tuple[UNetData, int]:
    """Draw the set for a step, and the number of its slices.

    A set is as likely as it is large. Of larger slices a step takes fewer, so that all steps cost about the same.
    """
    sizes = torch.tensor([float(len(one.latents)) for one in sets])
    chosen = sets[int(torch.multinomial(sizes, 1, generator=generator))]
    smallest = min(one.latents[0, 0].numel() for one in sets)
    return chosen, max(1, round(settings.batch_size * smallest / chosen.latents[0, 0].numel()))


def draw_timesteps(batch: int, shift: float, timesteps: int, generator: torch.Generator) -> torch.Tensor:
    """Timesteps int64 [batch] from 0 to timesteps - 1, shifted as `UNetSettings` says.

    Before the shift, each part of the schedule has one timestep, which makes the loss less noisy (Kingma et al. 2021,
    section I.1).
    """
    spread = (torch.arange(batch) + torch.rand(batch, generator=generator)) / batch
    shifted = shift * spread / (1 + (shift - 1) * spread)
    # In single precision the last part may end in 1.
    return (shifted * timesteps).long().clamp(max=timesteps - 1)


def training_loss(
    unet: RegionalUNet,
    schedule: DDPMScheduler,
    drawn: tuple[UNetData, int],
    settings: UNetSettings,
    generator: torch.Generator,
    device: str,
) -> torch.Tensor:
    """Squared error of the velocity, averaged over the latents of the asked modalities; a tumour's count more."""
    data, batch = drawn
    rows = torch.randint(len(data.latents), (batch,), generator=generator)
    draws = torch.randint(data.prompt.shape[1], (batch,), generator=generator)
    latents = data.latents[rows].float()
    noise = torch.randn(latents.shape, generator=generator)
    timesteps = draw_timesteps(batch, settings.timestep_shift, schedule.config.num_train_timesteps, generator)
    channels = latents.shape[1] // data.present.shape[-1]
    present = data.present[rows, draws].repeat_interleave(channels, dim=1)[..., None, None].float()
    noisy = schedule.add_noise(latents, noise, timesteps) * present
    target = schedule.get_velocity(latents, noise, timesteps)
    # Together, because guidance asks for the model without both.
    kept = torch.rand(batch, generator=generator) >= settings.dropout
    prompt = data.prompt[rows, draws] * kept
    layout = data.layout[rows].float()
    weights = present * (1 + settings.tumour_weight * tumour_fraction(layout))
    layout = layout * kept[:, None, None, None]
    mask = data.mask[prompt]
    longest = int(mask.sum(1).max())
    inputs = (noisy, timesteps, data.embeddings[prompt, :longest].float(), mask[:, :longest], layout)
    with torch.autocast(device, torch.bfloat16):
        prediction = predict(unet, *(part.to(device) for part in inputs)).float()
    error = (prediction - target.to(device)).square() * weights.to(device)
    return error.sum() / weights.sum().to(device)

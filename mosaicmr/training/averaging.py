"""Training of all weights of a U-Net by Muon and AdamW, with their moving average, which is kept."""

import copy
from collections.abc import Callable

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from mosaicmr.training.checkpoint import named_tensors
from mosaicmr.training.loop import Trainee
from mosaicmr.training.optimizers import UNET_ENDS, MuonWithAdamW

WEIGHT_DECAY = 0.01


def averaged_trainee(
    title: str,
    unet: UNet2DConditionModel,
    loss: Callable[[int], tuple[Tensor, dict[str, float]]],
    learning_rate: float,
    ema_decay: float,
) -> tuple[UNet2DConditionModel, Trainee]:
    """The moving average of a U-Net's weights, itself a frozen U-Net, and the trainee that moves it.

    title, loss: as in `Trainee`; `unet` is trained in place. ema_decay: see `update_average`. Diffusion models are
    sampled with exponential moving averages of their weights (Karras et al., CVPR 2024).
    """
    averaged = copy.deepcopy(unet).requires_grad_(False).eval()
    unet.requires_grad_(True).train()
    trainee = Trainee(
        title=title,
        weights=list(unet.parameters()),
        optimizer=MuonWithAdamW(unet, UNET_ENDS, learning_rate, WEIGHT_DECAY),
        tensors=named_tensors({"trained": unet, "averaged": averaged}),
        loss=loss,
        after_step=lambda done: update_average(averaged, unet, ema_decay, done),
    )
    return averaged, trainee


@torch.no_grad()
def update_average(averaged: nn.Module, module: nn.Module, decay: float, done: int) -> None:
    """Move each weight of `averaged` towards that of `module`, after `done` steps.

    It moves faster at first, so that the start is forgotten.
    """
    decay = min(decay, done / (9 + done))
    for slow, fast in zip(averaged.parameters(), module.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)

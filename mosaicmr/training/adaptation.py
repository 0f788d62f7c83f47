"""Adapt the base to a cohort: fine-tune its U-Net on the training slices once, before the experts.

For cohorts whose contrast is far from the simulated contrast. All weights are trained, with the prompts of the whole
slice and of every domain. The moving average of the weights is kept.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor

from mosaicmr.diffusion.unet import choose_attention
from mosaicmr.errors import InputError
from mosaicmr.monitoring.journal import Journal
from mosaicmr.training.averaging import averaged_trainee
from mosaicmr.training.batches import TrainingSettings, even_weights
from mosaicmr.training.checkpoint import Checkpoint
from mosaicmr.training.finetuning import cohort_loss
from mosaicmr.training.loop import final_loss, train
from mosaicmr.training.training_set import TrainingSlices


@dataclass(frozen=True, kw_only=True)
class AdaptationSettings(TrainingSettings):
    """Config keys `adaptation.*`. ema_decay: of the moving average of the weights, from 0 to 1."""

    section: ClassVar[str] = "adaptation"

    ema_decay: float

    @property
    def title(self) -> str:
        """The network in training, in words."""
        return "the base model"

    @property
    def stream(self) -> tuple[str, ...]:
        """Names of the random choices."""
        return ("adaptation",)

    def loss_weights(self, domains: Tensor, downsampling: int) -> Tensor:
        """1 for each latent: the U-Net learns whole slices, whatever domain a prompt names."""
        return even_weights(domains, downsampling)


def adapt(
    unet: UNet2DConditionModel,
    schedule: DDPMScheduler,
    slices: TrainingSlices,
    settings: AdaptationSettings,
    checkpoint: Checkpoint | None = None,
    dtype: torch.dtype = torch.float32,
    journal: Journal | None = None,
    limit: float | None = None,
) -> tuple[UNet2DConditionModel, pd.DataFrame]:
    """Fine-tune all weights of a loaded U-Net, which is changed, by Muon and AdamW as its pretraining did.

    slices: of `load_adaptation_slices`. dtype: of matrix products; weights stay in float32. The other arguments, the
    history and the errors are those of `loop.train`; with a `limit` in seconds, it takes at most `settings.steps`.
    Returns the moving average of the weights as a U-Net of its own, frozen, on the same device, and the history. Raises
    InputError if there is no slice.
    """
    if not len(slices):
        raise InputError(
            "No training patient has a slice to adapt the base to: set adaptation.steps to 0, or lower "
            "cohort.min_tumour_area."
        )
    loss = cohort_loss(unet, schedule, slices, settings, dtype)
    averaged, trainee = averaged_trainee(settings.title, unet, loss, settings.learning_rate, settings.ema_decay)
    choose_attention(unet, unet.device, dtype)
    return averaged, train(trainee, settings.plan, checkpoint, journal, limit)


def describe_adaptation(slices: TrainingSlices, history: pd.DataFrame) -> dict[str, Any]:
    """The facts of adapted.json on the training, without anything that identifies a patient."""
    return {"slices": len(slices), "steps": len(history), "loss": final_loss(history)}

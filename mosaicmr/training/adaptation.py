"""Adapting the base to a cohort: its U-Net is fine-tuned on the training slices once, before the experts.

For cohorts whose contrast is far from the simulated one. All weights are trained, with the prompts of the whole slice
and of every domain; what is kept is the moving average of the weights.
"""

import copy
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
from mosaicmr.training.batches import TrainingSettings, even_weights
from mosaicmr.training.checkpoint import Checkpoint
from mosaicmr.training.finetuning import Trainee, final_loss, train
from mosaicmr.training.muon import UNET_ENDS, MuonWithAdamW
from mosaicmr.training.rates import update_average
from mosaicmr.training.training_set import TrainingSlices

WEIGHT_DECAY = 0.01


@dataclass(frozen=True, kw_only=True)
class AdaptationSettings(TrainingSettings):
    """What config keys `adaptation.*` say. average: decay of the moving average of the weights, from 0 to 1."""

    section: ClassVar[str] = "adaptation"

    average: float

    @property
    def title(self) -> str:
        """What is trained, in words."""
        return "the base model"

    @property
    def stream(self) -> tuple[str, ...]:
        """Names of the random choices."""
        return ("adaptation",)

    def loss_weights(self, domains: Tensor, downsampling: int) -> Tensor:
        """1 for each latent: whole slices are learnt, whatever domain a prompt names."""
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

    slices: of `load_adaptation_slices`. The other arguments, the history and the errors are those of
    `finetuning.train`; with a `limit` in seconds, `settings.steps` are the most that are taken.
    Returns the moving average of the weights as a U-Net of its own, frozen, on the same device, and the history. Raises
    InputError if there is no slice.
    """
    if not len(slices):
        raise InputError(
            "No training patient has a slice to adapt the base to: set adaptation.steps to 0, or lower "
            "cohort.min_tumour_area."
        )
    averaged = copy.deepcopy(unet).requires_grad_(False).eval()
    unet.requires_grad_(True).train()
    choose_attention(unet, unet.device, dtype)
    optimizer = MuonWithAdamW(unet, UNET_ENDS, settings.learning_rate, WEIGHT_DECAY)
    tensors = {
        f"{kind}/{name}": weight
        for kind, network in (("trained", unet), ("averaged", averaged))
        for name, weight in network.named_parameters()
    }
    trainee = Trainee(
        unet, optimizer, tensors, after_step=lambda done: update_average(averaged, unet, settings.average, done)
    )
    return averaged, train(trainee, schedule, slices, settings, checkpoint, dtype, journal, limit)


def describe_adaptation(slices: TrainingSlices, history: pd.DataFrame) -> dict[str, Any]:
    """The facts of adapted.json on the training, without anything that identifies a patient."""
    return {"slices": len(slices), "steps": len(history), "loss": final_loss(history)}

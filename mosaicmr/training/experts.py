"""Fine-tune an expert: the base U-Net learns the texture of one domain, or of the whole slice."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import nn

from mosaicmr.diffusion.adapters import trainable_parameters
from mosaicmr.monitoring.journal import Journal
from mosaicmr.training.batches import ExpertSettings
from mosaicmr.training.checkpoint import Checkpoint
from mosaicmr.training.finetuning import cohort_loss
from mosaicmr.training.loop import Trainee, final_loss, train
from mosaicmr.training.optimizers import OneOptimizer
from mosaicmr.training.training_set import TrainingSlices


def finetune(
    model: nn.Module,
    schedule: DDPMScheduler,
    slices: TrainingSlices,
    settings: ExpertSettings,
    checkpoint: Checkpoint,
    dtype: torch.dtype = torch.float32,
    journal: Journal | None = None,
) -> pd.DataFrame:
    """Train `model` (see `add_adapter`) in place by AdamW, resuming from the checkpoint if it is this training's.

    slices: at least one. dtype: of matrix products; weights stay in float32. The other arguments, the history that is
    returned and the errors are those of `loop.train`.
    """
    weights = trainable_parameters(model)
    trainee = Trainee(
        title=settings.title,
        weights=list(weights.values()),
        optimizer=OneOptimizer(torch.optim.AdamW(weights.values(), lr=settings.learning_rate)),
        tensors=weights,
        loss=cohort_loss(model, schedule, slices, settings, dtype),
    )
    return train(trainee, settings.plan, checkpoint, journal)


def describe_expert(
    settings: ExpertSettings, slices: TrainingSlices, history: pd.DataFrame, modalities: Sequence[str], base: str
) -> dict[str, Any]:
    """The facts of expert.json on the training, without anything that identifies a patient."""
    trained = len(history) > 0
    return {
        "domain": settings.domain,
        "base": base,
        "modalities": list(modalities),
        "method": settings.method,
        "slices": len(slices),
        "trained": trained,
        "why": "" if trained else "no training slice contains the domain, so this expert is the base model as it is",
        "steps": len(history),
        "loss": final_loss(history) if trained else None,
    }

"""Fine-tuning one expert: the base U-Net learns the texture of one domain, or of the whole slice.

A training that was killed goes on from its last checkpoint and ends with the very same weights as one that was not.
"""

import hashlib
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor, nn

from mosaicmr.diffusion.adapters import trainable_parameters
from mosaicmr.diffusion.batches import Batch, ExpertSettings, draw_batch
from mosaicmr.diffusion.checkpoint import Checkpoint
from mosaicmr.diffusion.device import autocast
from mosaicmr.diffusion.training import cosine_rate, set_rate
from mosaicmr.diffusion.training_set import TrainingSlices
from mosaicmr.diffusion.unet import predict
from mosaicmr.errors import InputError
from mosaicmr.monitoring.journal import Journal

logger = logging.getLogger(__name__)

GRADIENT_NORM = 1.0  # longer gradients are clipped to it
WARMUP = 0.1, 100  # the learning rate rises over this share of the steps, and over so many at most
HISTORY = ("loss", "learning_rate", "seconds")


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

    slices: at least one. dtype: what matrix products are computed in; weights stay in float32. journal: who follows the
    training; it changes nothing.
    Returns the history: step (from 1), loss, learning_rate, seconds (since the start, over all resumptions).
    Raises InputError if loss or gradient are no longer finite.
    """
    weights = trainable_parameters(model)
    device = next(iter(weights.values())).device
    optimizer = torch.optim.AdamW(weights.values(), lr=settings.learning_rate)
    history = {name: np.zeros(settings.steps) for name in HISTORY}
    first = checkpoint.load(weights, optimizer, history)
    logger.info("expert %s: %d slices, steps %d to %d", settings.domain, len(slices), first + 1, settings.steps)
    elapsed = history["seconds"][first - 1] if first else 0.0
    journal = journal or Journal(f"expert {settings.domain}")
    journal.begin(settings.steps, first)
    warmup = max(1, min(WARMUP[1], round(WARMUP[0] * settings.steps)))
    for step in range(first, settings.steps):
        rate = cosine_rate(step, settings.steps, settings.learning_rate, warmup)
        batch = draw_batch(slices, settings, schedule.config.num_train_timesteps, step).to(device)
        loss, norm = _train_step(model, schedule, batch, optimizer, rate, dtype)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise InputError(_divergence(settings, step, norm if math.isfinite(loss) else loss))
        for name, value in zip(HISTORY, (loss, rate, elapsed + journal.seconds), strict=True):
            history[name][step] = value
        journal.report(step + 1, loss, {"loss": loss, "learning_rate": rate, "gradient_norm": norm})
        if (step + 1) % settings.checkpoint_every == 0 and step + 1 < settings.steps:
            journal.flush()
            checkpoint.save(step + 1, weights, optimizer, history)
    return pd.DataFrame({"step": np.arange(1, settings.steps + 1), **history})


def no_history() -> pd.DataFrame:
    """The history of an expert that had nothing to train on."""
    return pd.DataFrame({"step": np.zeros(0, np.int64), **{name: np.zeros(0) for name in HISTORY}})


def describe_expert(
    settings: ExpertSettings, slices: TrainingSlices, history: pd.DataFrame, modalities: Sequence[str], base: str
) -> dict[str, Any]:
    """The facts of expert.json: what was trained on what, without anything that identifies a patient."""
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
        # A single step's loss says little: the mean over the last tenth.
        "loss": float(history["loss"].tail(max(1, len(history) // 10)).mean()) if trained else None,
    }


def domain_loss(prediction: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Squared error, averaged over channels and, with `weights` [b, 1, h, w], over the latents of the batch."""
    errors = (prediction.float() - target.float()).square().mean(1, keepdim=True)
    return (weights * errors).sum() / weights.sum()


def training_fingerprint(
    model: nn.Module, slices: TrainingSlices, settings: ExpertSettings, code: Sequence[str]
) -> str:
    """A digest of all that the trained weights depend on, for `Checkpoint`. code: what else, e.g. a fingerprint."""
    decisive = {name: value for name, value in asdict(settings).items() if name != "checkpoint_every"}
    digest = hashlib.sha256(repr((decisive, slices.digest(), list(code))).encode())
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().numpy())
    return digest.hexdigest()


def _train_step(
    model: nn.Module,
    schedule: DDPMScheduler,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    rate: float,
    dtype: torch.dtype,
) -> tuple[float, float]:
    """One step of AdamW: the loss and the gradient's norm before clipping. If one is not finite, changes nothing."""
    noisy = schedule.add_noise(batch.latents, batch.noise, batch.timesteps)
    if schedule.config.prediction_type == "v_prediction":
        target = schedule.get_velocity(batch.latents, batch.noise, batch.timesteps)
    else:
        target = batch.noise
    with autocast(noisy.device, dtype):
        prediction = predict(model, noisy, batch.timesteps, batch.embeddings, batch.mask, batch.layout)
    loss = domain_loss(prediction, target, batch.weights)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    norm = float(nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM))
    if math.isfinite(loss.item()) and math.isfinite(norm):
        set_rate(optimizer, rate)
        optimizer.step()
    return loss.item(), norm


def _divergence(settings: ExpertSettings, step: int, value: float) -> str:
    return (
        f"Training of the expert '{settings.domain}' gave a loss or gradient of {value} in step {step + 1} with "
        f"experts.learning_rate {settings.learning_rate:g}: expected finite numbers; lower it, "
        f"for example to {settings.learning_rate / 10:g}."
    )

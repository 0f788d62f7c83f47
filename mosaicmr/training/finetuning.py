"""Fine-tuning on a cohort's slices: the loop that the experts and the adapted base share.

A training that was killed goes on from its last checkpoint and ends with the very same weights as one that was not.
"""

import hashlib
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor, nn

from mosaicmr.device import autocast
from mosaicmr.diffusion.unet import predict
from mosaicmr.errors import InputError
from mosaicmr.monitoring.journal import Journal
from mosaicmr.training.batches import Batch, TrainingSettings, draw_batch
from mosaicmr.training.checkpoint import Checkpoint
from mosaicmr.training.muon import MuonWithAdamW
from mosaicmr.training.rates import cosine_rate, set_rate
from mosaicmr.training.training_set import TrainingSlices

logger = logging.getLogger(__name__)

GRADIENT_NORM = 1.0  # longer gradients are clipped to it
WARMUP = 0.1, 100  # the learning rate rises over this share of the steps, and over so many at most
HISTORY = ("loss", "learning_rate", "seconds")


class OneOptimizer:
    """One of PyTorch's optimizers behind the face of `MuonWithAdamW`."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self.zero_grad, self.step = optimizer.zero_grad, optimizer.step

    def set_rate(self, rate: float) -> None:
        """Give all parameters one learning rate."""
        set_rate(self._optimizer, rate)

    @property
    def parts(self) -> dict[str, torch.optim.Optimizer]:
        """The optimizer, as checkpoints keep it."""
        return {"only": self._optimizer}


@dataclass(frozen=True)
class Trainee:
    """A network in training.

    tensors: what a checkpoint keeps of it beside the optimizer's state. after_step: called with the number of steps
    that are done, after each.
    """

    model: nn.Module
    optimizer: OneOptimizer | MuonWithAdamW
    tensors: Mapping[str, Tensor]
    after_step: Callable[[int], None] = lambda done: None


def train(
    trainee: Trainee,
    schedule: DDPMScheduler,
    slices: TrainingSlices,
    settings: TrainingSettings,
    checkpoint: Checkpoint | None = None,
    dtype: torch.dtype = torch.float32,
    journal: Journal | None = None,
    limit: float | None = None,
) -> pd.DataFrame:
    """Train in place, resuming from the checkpoint if it is this training's.

    slices: at least one. dtype: what matrix products are computed in; weights stay in float32. journal: who follows the
    training; it changes nothing. limit: seconds after which no further step begins, over all resumptions; the learning
    rate then falls with time, so that weights depend on the machine's speed.
    Returns the history: step (from 1), loss, learning_rate, seconds (since the start, over all resumptions).
    Raises InputError if loss or gradient are no longer finite.
    """
    device = next(trainee.model.parameters()).device
    history = {name: np.zeros(settings.steps) for name in HISTORY}
    done = checkpoint.load(trainee.tensors, trainee.optimizer.parts, history) if checkpoint else 0
    journal = journal or Journal(settings.title)
    logger.info("%s: %d slices, steps %d to %d", journal.name, len(slices), done + 1, settings.steps)
    before = history["seconds"][done - 1] if done else 0.0
    journal.begin(settings.steps, done)
    while done < settings.steps and (limit is None or before + journal.seconds < limit):
        rate = _rate(settings, done, (before + journal.seconds) / limit if limit else 0.0)
        batch = draw_batch(slices, settings, schedule.config.num_train_timesteps, done).to(device)
        loss, norm = _train_step(trainee, schedule, batch, rate, dtype)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise InputError(_divergence(settings, done, norm if math.isfinite(loss) else loss))
        for name, value in zip(HISTORY, (loss, rate, before + journal.seconds), strict=True):
            history[name][done] = value
        done += 1
        trainee.after_step(done)
        journal.report(done, loss, {"loss": loss, "learning_rate": rate, "gradient_norm": norm})
        if checkpoint and done % settings.checkpoint_every == 0 and done < settings.steps:
            journal.flush()
            checkpoint.save(done, trainee.tensors, trainee.optimizer.parts, history)
    return pd.DataFrame({"step": np.arange(1, done + 1), **{name: values[:done] for name, values in history.items()}})


def final_loss(history: pd.DataFrame) -> float:
    """The mean loss over the last tenth of the steps: that of a single one says little."""
    return float(history["loss"].tail(max(1, len(history) // 10)).mean())


def domain_loss(prediction: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Squared error, averaged over channels and, with `weights` [b, 1, h, w], over the latents of the batch."""
    errors = (prediction.float() - target.float()).square().mean(1, keepdim=True)
    return (weights * errors).sum() / weights.sum()


def training_fingerprint(
    model: nn.Module, slices: TrainingSlices, settings: TrainingSettings, code: Sequence[str]
) -> str:
    """A digest of all that the trained weights depend on, for `Checkpoint`. code: what else, e.g. a fingerprint."""
    decisive = {name: value for name, value in asdict(settings).items() if name != "checkpoint_every"}
    digest = hashlib.sha256(repr((decisive, slices.digest(), list(code))).encode())
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().numpy())
    return digest.hexdigest()


def _rate(settings: TrainingSettings, step: int, spent: float) -> float:
    """The learning rate of a step; `spent` is the share of the time that is up, if time is limited."""
    warmup = max(1, min(WARMUP[1], round(WARMUP[0] * settings.steps)))
    at = step if step < warmup else max(step, round(spent * settings.steps))
    return cosine_rate(at, settings.steps, settings.learning_rate, warmup)


def _train_step(
    trainee: Trainee, schedule: DDPMScheduler, batch: Batch, rate: float, dtype: torch.dtype
) -> tuple[float, float]:
    """One step: the loss and the gradient's norm before clipping. If one of them is not finite, changes nothing."""
    noisy = schedule.add_noise(batch.latents, batch.noise, batch.timesteps)
    if schedule.config.prediction_type == "v_prediction":
        target = schedule.get_velocity(batch.latents, batch.noise, batch.timesteps)
    else:
        target = batch.noise
    with autocast(noisy.device, dtype):
        prediction = predict(trainee.model, noisy, batch.timesteps, batch.embeddings, batch.mask, batch.layout)
    loss = domain_loss(prediction, target, batch.weights)
    trainee.optimizer.zero_grad()
    loss.backward()
    parameters = [parameter for parameter in trainee.model.parameters() if parameter.requires_grad]
    norm = float(nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM))
    if math.isfinite(loss.item()) and math.isfinite(norm):
        trainee.optimizer.set_rate(rate)
        trainee.optimizer.step()
    return loss.item(), norm


def _divergence(settings: TrainingSettings, step: int, value: float) -> str:
    return (
        f"Training of {settings.title} gave a loss or gradient of {value} in step {step + 1} with "
        f"{settings.section}.learning_rate {settings.learning_rate:g}: expected finite numbers; lower it, "
        f"for example to {settings.learning_rate / 10:g}."
    )

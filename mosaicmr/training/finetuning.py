"""Fine-tuning on a cohort's slices: the loss that the experts and the adapted base share."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict

import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor, nn

from mosaicmr.device import autocast
from mosaicmr.diffusion.unet import predict
from mosaicmr.training.batches import TrainingSettings, draw_batch
from mosaicmr.training.training_set import TrainingSlices

logger = logging.getLogger(__name__)


def cohort_loss(
    model: nn.Module, schedule: DDPMScheduler, slices: TrainingSlices, settings: TrainingSettings, dtype: torch.dtype
) -> Callable[[int], tuple[Tensor, dict[str, float]]]:
    """The loss of a network on each step's batch of slices, for `loop.Trainee`.

    slices: at least one. dtype: of matrix products; weights stay in float32.
    """
    device = next(model.parameters()).device
    logger.info("%s learns from %d slices", settings.title, len(slices))

    def loss(done: int) -> tuple[Tensor, dict[str, float]]:
        batch = draw_batch(slices, settings, schedule.config.num_train_timesteps, done).to(device)
        noisy = schedule.add_noise(batch.latents, batch.noise, batch.timesteps)
        if schedule.config.prediction_type == "v_prediction":
            target = schedule.get_velocity(batch.latents, batch.noise, batch.timesteps)
        else:
            target = batch.noise
        with autocast(noisy.device, dtype):
            prediction = predict(model, noisy, batch.timesteps, batch.embeddings, batch.mask, batch.layout)
        return domain_loss(prediction, target, batch.weights), {}

    return loss


def domain_loss(prediction: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Squared error, averaged over channels and, with `weights` [b, 1, h, w], over the latents of the batch."""
    errors = (prediction.float() - target.float()).square().mean(1, keepdim=True)
    return (weights * errors).sum() / weights.sum()


def training_fingerprint(
    model: nn.Module, slices: TrainingSlices, settings: TrainingSettings, code: Sequence[str]
) -> str:
    """A digest of all that the trained weights depend on, for `Checkpoint`.

    code: what they depend on besides, e.g. a fingerprint of the code.
    """
    decisive = {name: value for name, value in asdict(settings).items() if name != "checkpoint_every"}
    digest = hashlib.sha256(repr((decisive, slices.digest(), list(code))).encode())
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().numpy())
    return digest.hexdigest()

"""DDIM sampling from noise or from a source, with classifier-free guidance: small functions that mirror the equations.

Nothing here knows of slices, domains or files. A *predictor* maps noisy latents float32 [n, C, h, w] and a timestep to
the network's prediction of the same shape, in whatever parametrisation (noise or velocity) the noise schedule states.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from torch import Tensor

from mosaicmr.seeds import torch_generator

Predictor = Callable[[Tensor, int], Tensor]

# The share of the guided prediction that is brought back to the spread of the unguided prediction. Lin et al. (2024)
# recommend 0.7 for schedules that end in pure noise, where guidance otherwise overexposes.
GUIDANCE_RESCALE = 0.7


class Condition(NamedTuple):
    """Conditions of n samples, in the order of a denoiser's arguments.

    embeddings: [n, L, D] token states of the prompts. mask: [n, L], nonzero on tokens. layout: float32 [n, 24, h, w].
    """

    embeddings: Tensor
    mask: Tensor
    layout: Tensor


def ddim_schedule(noise_schedule: SchedulerMixin, steps: int) -> DDIMScheduler:
    """The deterministic sampler (Song et al. 2021, eq. 12 with sigma = 0) of the schedule a model was trained with.

    Timesteps are spaced "trailing" (Lin et al. 2024, table 2), so that sampling begins at the noisiest timestep and the
    last step lands on the prediction of the clean latents, which are not clipped because latents have no fixed range.
    """
    schedule = DDIMScheduler.from_config(
        noise_schedule.config, timestep_spacing="trailing", clip_sample=False, thresholding=False, set_alpha_to_one=True
    )
    schedule.set_timesteps(steps)
    return schedule


def remaining_timesteps(schedule: DDIMScheduler, strength: float) -> list[int]:
    """The last `strength` (0 to 1) of the schedule's timesteps, noisiest first: none for 0, all for 1.

    A strength between two steps is rounded up, so that any strength above 0 changes something.
    """
    timesteps = schedule.timesteps.tolist()
    count = math.ceil(strength * len(timesteps) - 1e-9)
    return timesteps[len(timesteps) - count :]


def draw_noise(seed: int, identifiers: Sequence[str], label: str, shape: Sequence[int]) -> Tensor:
    """Unit Gaussian noise float32 [n, *shape], each sample from its own generator.

    A sample's noise depends on the seed, its identifier and the label alone, so neither the size nor the order of a
    batch changes a slice. It is drawn on the CPU, so that a GPU starts from the same noise.
    """
    samples = [torch.randn(*shape, generator=torch_generator(seed, "noise", name, label)) for name in identifiers]
    return torch.stack(samples)


def add_noise(schedule: DDIMScheduler, clean: Tensor, noise: Tensor, timestep: int) -> Tensor:
    """Noisy latents x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) e, the start of SDEdit (Meng et al. 2022, algorithm 1)."""
    return schedule.add_noise(clean, noise, torch.full((len(clean),), timestep, device=clean.device))


def guide(denoiser, condition: Condition, unconditional: Condition, scale: float, rescale: float) -> Predictor:
    """Classifier-free guidance (Ho & Salimans 2022, eq. 6, with scale = 1 + w), and its rescaling (see `match_spread`).

    denoiser: takes latents [n, C, h, w], timesteps int64 [n] and the parts of a condition, and returns the prediction.
    unconditional: the condition that asks for nothing: the empty prompt and a zero layout.
    A scale of 1 is the conditional prediction itself and costs one evaluation instead of two.
    """

    def predict(latents: Tensor, timestep: int) -> Tensor:
        timesteps = torch.full((len(latents),), timestep, device=latents.device)
        conditional = denoiser(latents, timesteps, *condition)
        if scale == 1:
            return conditional
        baseline = denoiser(latents, timesteps, *unconditional)
        guided = baseline + scale * (conditional - baseline)
        return match_spread(guided, conditional, rescale)

    return predict


def match_spread(guided: Tensor, conditional: Tensor, rescale: float) -> Tensor:
    """Bring the spread of each guided sample back to that of the conditional sample (Lin et al. 2024, eq. 15-16).

    rescale: 0 leaves `guided` as it is, 1 matches the standard deviations fully.
    """
    axes = tuple(range(1, guided.ndim))
    ratio = conditional.std(axes, keepdim=True) / guided.std(axes, keepdim=True).clamp_min(1e-6)
    return guided * (rescale * ratio + (1 - rescale))


def blend(parts: Sequence[tuple[Tensor, Predictor, Tensor]]) -> Predictor:
    """Blend several predictors that act on the same latents (MultiDiffusion, Bar-Tal et al. 2023, eq. 5).

    parts: the samples that a predictor acts on, int64 [k]; the predictor; and its weights, float32 [k, h, w], which add
    up to 1 over the predictors at every position. A weighted mean of predictions at one noise level is the prediction
    of the weighted mean of clean latents, for noise and for velocity alike.
    """

    def predict(latents: Tensor, timestep: int) -> Tensor:
        blended = torch.zeros_like(latents)
        for rows, part, weights in parts:
            blended[rows] += weights[:, None] * part(latents[rows], timestep)
        return blended

    return predict


@torch.inference_mode()
def sample(schedule: DDIMScheduler, predict: Predictor, latents: Tensor, timesteps: Iterable[int]) -> Tensor:
    """Denoise latents float32 [n, C, h, w] through `timesteps`, noisiest first; no timestep returns them unchanged."""
    for timestep in timesteps:
        prediction = predict(latents, timestep)
        latents = schedule.step(prediction, timestep, latents, eta=0.0).prev_sample
    return latents

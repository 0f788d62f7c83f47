"""DDIM, SDEdit and guidance, checked against a denoiser whose answer is known: the best for a Gaussian target."""

import pytest
import torch
from diffusers import DDPMScheduler

from mosaicmr.diffusion.sampling import (
    Condition,
    add_noise,
    blend,
    ddim_schedule,
    draw_noise,
    guide,
    match_spread,
    remaining_timesteps,
    sample,
)

SHAPE = (2, 4, 4)
VELOCITY = DDPMScheduler(prediction_type="v_prediction", rescale_betas_zero_snr=True)
NOISE = DDPMScheduler(prediction_type="epsilon")
NOTHING = Condition(torch.zeros(1), torch.zeros(1), torch.zeros(1))


def gaussian_predictor(schedule, mean, spread):
    """The exact prediction for latents distributed as N(mean, spread²), by Bayes' rule."""

    def predict(latents, timestep):
        a = schedule.alphas_cumprod[timestep]
        gain = a.sqrt() * spread**2 / (a * spread**2 + 1 - a)
        clean = mean + gain * (latents - a.sqrt() * mean)
        noise = (latents - a.sqrt() * clean) / (1 - a).sqrt()
        velocity = a.sqrt() * noise - (1 - a).sqrt() * clean
        return velocity if schedule.config.prediction_type == "v_prediction" else noise

    return predict


class Recorder:
    """A denoiser that answers with its layout and counts how often it is asked."""

    def __init__(self):
        self.calls = 0

    def __call__(self, latents, timesteps, embeddings, mask, layout):
        assert timesteps.shape == (len(latents),)
        self.calls += 1
        return layout.expand_as(latents)


@pytest.mark.parametrize("noise_schedule", [VELOCITY, NOISE])
@pytest.mark.parametrize("steps", [1, 12, 20])
def test_a_target_without_spread_is_sampled_exactly(noise_schedule, steps):
    schedule = ddim_schedule(noise_schedule, steps)
    mean = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    noise = draw_noise(3, ["a", "b"], "", SHAPE)

    drawn = sample(schedule, gaussian_predictor(schedule, mean, 0.0), noise, remaining_timesteps(schedule, 1))

    assert torch.allclose(drawn, mean.expand_as(drawn), atol=2e-3)


def test_a_gaussian_target_is_sampled_to_its_mean_and_spread():
    schedule = ddim_schedule(VELOCITY, 200)
    noise = draw_noise(3, [str(i) for i in range(32)], "", SHAPE)

    drawn = sample(schedule, gaussian_predictor(schedule, 5.0, 0.5), noise, remaining_timesteps(schedule, 1))

    # The probability flow maps pure noise e to mean + spread * e.
    assert torch.allclose(drawn, 5.0 + 0.5 * noise, atol=0.05)


def test_sampling_starts_at_the_noisiest_timestep_and_ends_without_clipping():
    schedule = ddim_schedule(VELOCITY, 4)
    assert schedule.timesteps.tolist() == [999, 749, 499, 249]
    assert not schedule.config.clip_sample
    assert schedule.final_alpha_cumprod == 1


@pytest.mark.parametrize(
    ("strength", "expected"), [(0, []), (0.01, [249]), (0.5, [499, 249]), (1, [999, 749, 499, 249])]
)
def test_strength_is_the_share_of_steps_that_remain(strength, expected):
    assert remaining_timesteps(ddim_schedule(VELOCITY, 4), strength) == expected


def test_the_noise_of_a_start_is_that_of_its_strength():
    schedule = ddim_schedule(VELOCITY, 4)
    timestep = remaining_timesteps(schedule, 0.5)[0]
    clean, noise = torch.full((1, *SHAPE), 2.0), torch.ones(1, *SHAPE)

    noisy = add_noise(schedule, clean, noise, timestep)

    a = schedule.alphas_cumprod[499]
    assert torch.allclose(noisy, a.sqrt() * 2 + (1 - a).sqrt())


def test_no_remaining_step_returns_the_source():
    schedule = ddim_schedule(VELOCITY, 4)
    source = torch.randn(2, *SHAPE)
    assert torch.equal(sample(schedule, gaussian_predictor(schedule, 0.0, 1.0), source, []), source)


def test_noise_depends_on_the_sample_and_not_on_its_neighbours():
    together = draw_noise(1, ["a", "b", "c"], "oedema", SHAPE)
    assert torch.equal(together[2:], draw_noise(1, ["c"], "oedema", SHAPE))
    assert not torch.equal(together[0], together[1])
    assert not torch.equal(together[:1], draw_noise(1, ["a"], "necrosis", SHAPE))
    assert not torch.equal(together[:1], draw_noise(2, ["a"], "oedema", SHAPE))


def test_guidance_extrapolates_from_unconditional_to_conditional():
    asked, nothing = (Condition(*NOTHING[:2], torch.full((1,), value)) for value in (3.0, 1.0))
    predict = guide(Recorder(), asked, nothing, scale=2.5, rescale=0)
    assert torch.all(predict(torch.zeros(2, *SHAPE), 999) == 1 + 2.5 * (3 - 1))


@pytest.mark.parametrize(("scale", "evaluations"), [(1, 1), (1.0, 1), (2.0, 2)])
def test_guidance_of_one_evaluates_once_a_step(scale, evaluations):
    denoiser, schedule = Recorder(), ddim_schedule(VELOCITY, 5)
    predict = guide(denoiser, NOTHING, NOTHING, scale, rescale=0.7)
    sample(schedule, predict, torch.zeros(2, *SHAPE), remaining_timesteps(schedule, 1))
    assert denoiser.calls == 5 * evaluations


def test_rescaling_restores_the_spread_of_each_sample():
    conditional = torch.randn(3, *SHAPE)
    guided = conditional * torch.tensor([1.0, 2.0, 4.0])[:, None, None, None]
    assert torch.allclose(match_spread(guided, conditional, 1), conditional, atol=1e-5)
    assert torch.equal(match_spread(guided, conditional, 0), guided)


def test_a_blend_of_predictors_follows_its_weights_and_samples():
    weights = torch.rand(2, 4, 4)
    everywhere, second = torch.tensor([0, 1]), torch.tensor([1])
    parts = [
        (
            everywhere,
            lambda latents, timestep: torch.full_like(latents, 1.0),
            torch.stack([torch.ones(4, 4), 1 - weights[1]]),
        ),
        (second, lambda latents, timestep: torch.full_like(latents, 3.0), weights[1:]),
    ]

    blended = blend(parts)(torch.zeros(2, *SHAPE), 999)

    assert torch.all(blended[0] == 1)
    assert torch.allclose(blended[1], (1 + 2 * weights[1]).expand(SHAPE))


def test_experts_that_agree_sample_jointly_what_one_samples_alone():
    schedule = ddim_schedule(VELOCITY, 10)
    predict, noise = gaussian_predictor(schedule, 1.0, 0.5), draw_noise(1, ["a"], "", SHAPE)
    left = torch.zeros(1, 4, 4)
    left[..., :2] = 0.7
    rows = torch.tensor([0])

    together = sample(
        schedule, blend([(rows, predict, left), (rows, predict, 1 - left)]), noise, schedule.timesteps.tolist()
    )

    assert torch.allclose(together, sample(schedule, predict, noise, schedule.timesteps.tolist()), atol=1e-5)

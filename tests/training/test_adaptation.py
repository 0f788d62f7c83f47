"""Adapting the base to a cohort: learning and averaging, checkpoints, and the experts that fit the result."""

import dataclasses
import json
import time

import numpy as np
import pytest
import torch

from mosaicmr.diffusion.adapted import CONFIG, FACTS, WEIGHTS, save_adapted
from mosaicmr.diffusion.adapters import add_adapter, save_adapter
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.denoiser import Denoiser
from mosaicmr.errors import InputError
from mosaicmr.io import load_json
from mosaicmr.training import finetuning
from mosaicmr.training.adaptation import AdaptationSettings, adapt, describe_adaptation
from mosaicmr.training.batches import draw_batch
from mosaicmr.training.checkpoint import Checkpoint
from mosaicmr.training.finetuning import training_fingerprint
from mosaicmr.training.training_set import TrainingSlices
from tests.support.interruption import Killed

MODALITIES = ["T1", "T2"]
SETTINGS = AdaptationSettings(
    seed=3,
    steps=6,
    batch_size=4,
    learning_rate=1e-3,
    ema_decay=0.9,
    prompt_dropout=0.2,
    layout_dropout=0.2,
    checkpoint_every=2,
)


def smooth_slices(channels=4, width=384, downsampling=4, with_std=False) -> TrainingSlices:
    """Three slices of one grey each, which are easy to learn; their prompts are the rows 1 to 3 and 4 to 6."""
    generator = np.random.default_rng(0)
    greys = generator.normal(size=(3, channels, 1, 1)).astype(np.float16)
    mean = np.broadcast_to(greys, (3, channels, 8, 8)).copy()
    return TrainingSlices(
        mean=mean,
        std=np.full_like(mean, 0.1) if with_std else None,
        domains=generator.integers(0, 4, (3, 8 * downsampling, 8 * downsampling), np.uint8),
        prompts=np.array([[1, 4], [2, 5], [3, 6]]),
        embeddings=generator.normal(size=(7, 6, width)).astype(np.float16),
        mask=np.ones((7, 6), np.uint8),
        tumour_classes=(2,),
        healthy=2,
    )


def run(model, folder, settings=SETTINGS, slices=None, modalities=MODALITIES):
    """Adapt as the rule does, and return the history."""
    slices = slices or smooth_slices()
    base = Base.open(model, modalities)
    unet = base.load_unet()
    checkpoint = Checkpoint(folder / "checkpoint.safetensors", training_fingerprint(unet, slices, settings, ["code"]))
    adapted, history = adapt(unet, base.schedule, slices, settings, checkpoint)
    save_adapted(adapted, folder, "base", modalities, describe_adaptation(slices, history))
    return history


def kill_in_step(monkeypatch, step):
    def draw_or_die(slices, settings, timesteps, now):
        if now == step:
            raise Killed
        return draw_batch(slices, settings, timesteps, now)

    monkeypatch.setattr(finetuning, "draw_batch", draw_or_die)


def contents(folder):
    return {name: (folder / name).read_bytes() for name in (FACTS, CONFIG, WEIGHTS)}


def test_the_loss_falls_on_a_few_slices_and_the_average_has_learnt_them(base):
    base = Base.open(base, MODALITIES)
    slices, schedule, unet = smooth_slices(), base.schedule, base.load_unet()
    before = {name: weight.clone() for name, weight in unet.named_parameters()}
    settings = dataclasses.replace(SETTINGS, steps=80, learning_rate=1e-2)
    averaged, history = adapt(unet, schedule, slices, settings)
    assert list(history.columns) == ["step", "loss", "learning_rate", "seconds"]
    assert history["loss"].tail(10).mean() < 0.85 * history["loss"].head(10).mean()
    assert not any(parameter.requires_grad for parameter in averaged.parameters())
    # All weights are trained, those of the text's keys too, and the average is not the last state of the training.
    unmoved = [name for name, weight in averaged.named_parameters() if torch.equal(weight, before[name])]
    assert not unmoved
    assert not torch.equal(averaged.conv_in.weight, unet.conv_in.weight)
    batch = draw_batch(slices, dataclasses.replace(settings, batch_size=32), 1000, step=1000)
    noisy = schedule.add_noise(batch.latents, batch.noise, batch.timesteps)
    target = schedule.get_velocity(batch.latents, batch.noise, batch.timesteps)
    losses = {}
    for name, network in (("adapted", averaged), ("base", base.unet)):
        with torch.no_grad():
            prediction = finetuning.predict(network, noisy, batch.timesteps, batch.embeddings, batch.mask, batch.layout)
        losses[name] = float(finetuning.domain_loss(prediction, target, batch.weights))
    assert losses["adapted"] < 0.65 * losses["base"]


def test_a_killed_adaptation_resumes_and_ends_with_the_same_bytes(base, tmp_path, monkeypatch):
    whole = run(base, tmp_path / "whole")
    with monkeypatch.context() as patched:
        kill_in_step(patched, 5)
        with pytest.raises(Killed):
            run(base, tmp_path / "killed")
    assert not (tmp_path / "killed" / FACTS).exists()
    with monkeypatch.context() as patched:
        kill_in_step(patched, 3)  # a step that the resumed training must not do again
        resumed = run(base, tmp_path / "killed")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    columns = ["step", "loss", "learning_rate"]
    np.testing.assert_array_equal(resumed[columns], whole[columns])


def test_a_checkpoint_of_other_settings_is_not_resumed(base, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        kill_in_step(patched, 5)
        with pytest.raises(Killed):
            run(base, tmp_path)
    settings = dataclasses.replace(SETTINGS, ema_decay=0.5)
    run(base, tmp_path, settings)
    run(base, tmp_path / "fresh", settings)
    assert contents(tmp_path) == contents(tmp_path / "fresh")


def test_every_prompt_of_a_slice_is_drawn_and_the_whole_slice_counts():
    slices = smooth_slices()
    settings = dataclasses.replace(SETTINGS, batch_size=600, prompt_dropout=0.25, layout_dropout=0.5)
    batch = draw_batch(slices, settings, 1000, 0)
    known = torch.from_numpy(slices.embeddings).float()
    rows = (batch.embeddings[:, None] == known[None]).all((2, 3)).float().argmax(1)
    shares = torch.bincount(rows, minlength=7) / 600
    assert 0.2 < shares[0] < 0.3  # the empty prompt
    assert ((shares[1:] > 0.08) & (shares[1:] < 0.17)).all()
    assert 0.45 < (batch.layout == 0).all(3).all(2).all(1).float().mean() < 0.55
    assert (batch.weights == 1).all()
    # Of the slice that was drawn, and of no other.
    greys = torch.from_numpy(slices.mean).float()
    drawn = (batch.latents[:, None] == greys[None]).all((2, 3, 4)).float().argmax(1)
    assert ((rows == 0) | ((rows - 1) % 3 == drawn)).all()


def test_a_limit_in_seconds_ends_the_training_with_its_rate_annealed(base):
    base, slices = Base.open(base, MODALITIES), smooth_slices()
    settings = dataclasses.replace(SETTINGS, steps=100_000, batch_size=1)
    start = time.monotonic()
    _, history = adapt(base.load_unet(), base.schedule, slices, settings, limit=4.0)
    assert 4 <= time.monotonic() - start < 30
    assert 0 < len(history) < settings.steps
    assert history["step"].tolist() == list(range(1, len(history) + 1))
    assert history["seconds"].iloc[-1] >= 4.0 > history["seconds"].iloc[-2]
    # After nine tenths of the time, the rate is what it is after nine tenths of the steps.
    late = settings.plan.rate(2000, 0.9)
    assert late == settings.plan.rate(90_000) < 0.1 * settings.learning_rate
    assert settings.plan.rate(5, 0.9) < settings.plan.rate(50, 0.9)  # still rising


def test_an_adaptation_to_no_slice_is_refused(base):
    base = Base.open(base, MODALITIES)
    none = dataclasses.replace(smooth_slices(), mean=np.zeros((0, 4, 8, 8), np.float16))
    with pytest.raises(InputError, match="set adaptation.steps to 0"):
        adapt(base.load_unet(), base.schedule, none, SETTINGS)


def test_divergence_is_told_by_the_key_of_the_adaptation(base, tmp_path):
    slices = smooth_slices()
    slices.mean[:] = np.nan
    with pytest.raises(
        InputError, match="Training of the base model gave a loss or gradient of nan in step 1 with adap"
    ):
        run(base, tmp_path, slices=slices)
    assert not (tmp_path / FACTS).exists()


def test_the_adapted_base_is_read_as_it_was_written_in_16_bit_without_any_path(base, tmp_path):
    run(base, tmp_path)
    adapted = Base.open(base, MODALITIES, unet=tmp_path)
    facts = load_json(tmp_path / FACTS)
    assert (facts["base"], facts["modalities"], facts["steps"], facts["slices"]) == ("base", MODALITIES, 6, 3)
    assert facts["name"] == adapted.unet_name == f"base, adapted {facts['sha256'][WEIGHTS][:12]}"
    assert str(base) not in (tmp_path / CONFIG).read_text()
    unet, before = adapted.unet, Base.open(base, MODALITIES).unet
    assert unet.dtype == torch.float32
    values = sum(value.numel() for value in unet.state_dict().values())
    assert (tmp_path / WEIGHTS).stat().st_size < 2.2 * values + 50_000
    assert unet.config.in_channels == before.config.in_channels
    assert not torch.equal(unet.conv_in.weight, before.conv_in.weight)


def test_an_adapted_base_of_other_modalities_or_with_changed_files_is_refused(base, tmp_path):
    run(base, tmp_path)
    for modalities in (["T1"], MODALITIES[::-1]):
        with pytest.raises(InputError, match="is for T1, T2: expected T.* run adapt_base again"):
            Base.open(base, modalities, unet=tmp_path)
    content = (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match="has the SHA-256 .* run adapt_base again"):
        Base.open(base, MODALITIES, unet=tmp_path)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(InputError, match="is missing, though adapted.json lists it"):
        Base.open(base, MODALITIES, unet=tmp_path)
    (tmp_path / FACTS).unlink()
    with pytest.raises(InputError, match="lacks adapted.json, .* run adapt_base again"):
        Base.open(base, MODALITIES, unet=tmp_path)


def test_an_expert_is_refused_on_every_base_but_its_own(base, tmp_path):
    run(base, tmp_path / "adapted")
    run(base, tmp_path / "other", dataclasses.replace(SETTINGS, seed=4))
    bases = [Base.open(base, MODALITIES, unet=unet) for unet in (None, tmp_path / "adapted", tmp_path / "other")]
    for number, own in enumerate(bases):
        folder = tmp_path / f"expert{number}"
        save_adapter(add_adapter(own.load_unet(), "lora", rank=2, seed=1, domain="oedema"), folder, own.unet_name)
        for other in bases:
            if other is own:
                Denoiser.load(other, folder)
            else:
                with pytest.raises(InputError, match="was trained on the base model 'base.*run finetune_expert again"):
                    Denoiser.load(other, folder)


def test_an_inflated_stable_diffusion_is_adapted_and_loaded_with_its_modalities(stable_diffusion, tmp_path):
    slices = smooth_slices(channels=8, width=32, downsampling=2, with_std=True)
    history = run(stable_diffusion, tmp_path, slices=slices)
    assert np.isfinite(history["loss"]).all()
    unet = Base.open(stable_diffusion, MODALITIES, unet=tmp_path).unet
    inflated = Base.open(stable_diffusion, MODALITIES).unet
    for end in ("conv_in", "conv_out"):
        assert getattr(unet, end).weight.shape == getattr(inflated, end).weight.shape
    assert unet.conv_in.weight[:, 8:].abs().max() > 0  # the layout's, zero before
    assert json.loads((tmp_path / CONFIG).read_text())["in_channels"] == inflated.config.in_channels

"""Fine-tuning an expert: its loss, its randomness, its checkpoints, and its error when training diverges."""

import dataclasses

import numpy as np
import pytest
import torch

from mosaicmr.diffusion.adapters import WEIGHTS, add_adapter, save_adapter
from mosaicmr.diffusion.base import Base
from mosaicmr.errors import InputError
from mosaicmr.io import load_json
from mosaicmr.monitoring.journal import Journal
from mosaicmr.training import finetuning
from mosaicmr.training.batches import ExpertSettings, draw_batch
from mosaicmr.training.checkpoint import Checkpoint
from mosaicmr.training.experts import describe_expert, finetune
from mosaicmr.training.finetuning import domain_loss, training_fingerprint
from mosaicmr.training.loop import no_history
from mosaicmr.training.training_set import TrainingSlices
from tests.support.interruption import Killed

SETTINGS = ExpertSettings(
    domain="oedema",
    domain_id=1,
    seed=3,
    method="lora",
    rank=2,
    steps=6,
    batch_size=4,
    learning_rate=1e-3,
    context_weight=0.1,
    prompt_dropout=0.2,
    layout_dropout=0.2,
    checkpoint_every=2,
)


def training_slices(channels=4, width=384, downsampling=4, with_std=False):
    generator = np.random.default_rng(0)
    mean = generator.normal(size=(5, channels, 8, 8)).astype(np.float16)
    return TrainingSlices(
        mean=mean,
        std=np.full_like(mean, 0.1) if with_std else None,
        domains=generator.integers(0, 4, (5, 8 * downsampling, 8 * downsampling), np.uint8),
        prompts=np.arange(5)[:, None] % 2 + 1,
        embeddings=generator.normal(size=(3, 6, width)).astype(np.float16),
        mask=np.ones((3, 6), np.uint8),
        tumour_classes=(2,),
        healthy=2,
    )


def train(model, folder, settings=SETTINGS, slices=None, modalities=("T1", "T2"), journal=None):
    """Train as the rule does, and return the model, its history and the checkpoint."""
    slices = slices or training_slices()
    base = Base.open(model, modalities)
    expert = add_adapter(base.load_unet(), settings.method, settings.rank, settings.seed, settings.domain)
    checkpoint = Checkpoint(folder / "checkpoint.safetensors", training_fingerprint(expert, slices, settings, ["code"]))
    history = finetune(expert, base.schedule, slices, settings, checkpoint, journal=journal)
    save_adapter(expert, folder, "base")
    return expert, history, checkpoint


def kill_in_step(monkeypatch, step):
    def draw_or_die(slices, settings, timesteps, now):
        if now == step:
            raise Killed
        return draw_batch(slices, settings, timesteps, now)

    monkeypatch.setattr(finetuning, "draw_batch", draw_or_die)


def test_training_lowers_the_loss_on_what_it_sees(base, tmp_path):
    settings = dataclasses.replace(SETTINGS, steps=60, learning_rate=5e-3, checkpoint_every=1000)
    _, history, _ = train(base, tmp_path, settings)
    assert list(history.columns) == ["step", "loss", "learning_rate", "seconds"]
    assert history["step"].tolist() == list(range(1, 61))
    assert history["loss"].tail(10).mean() < 0.9 * history["loss"].head(10).mean()
    assert history["seconds"].is_monotonic_increasing
    assert history["learning_rate"].iloc[0] < history["learning_rate"].max() == pytest.approx(5e-3)
    assert history["learning_rate"].iloc[-1] < 5e-4


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_killed_training_resumes_and_ends_with_the_same_bytes(base, tmp_path, monkeypatch, method):
    settings = dataclasses.replace(SETTINGS, method=method)
    _, whole, _ = train(base, tmp_path / "whole", settings)
    with monkeypatch.context() as patched:
        kill_in_step(patched, 5)
        with pytest.raises(Killed):
            train(base, tmp_path / "killed", settings)
    assert not (tmp_path / "killed" / WEIGHTS).exists()
    with monkeypatch.context() as patched:
        kill_in_step(patched, 3)  # a step that the resumed training must not do again
        _, resumed, checkpoint = train(base, tmp_path / "killed", settings)
    for name in (WEIGHTS, "adapter_config.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    columns = ["step", "loss", "learning_rate"]
    np.testing.assert_array_equal(resumed[columns], whole[columns])
    checkpoint.remove()
    assert not checkpoint.path.exists()


def test_being_followed_changes_no_byte_of_a_training(base, tmp_path):
    train(base, tmp_path / "alone")
    with Journal("expert", tmp_path / "record.json", tmp_path / "events") as journal:
        train(base, tmp_path / "followed", journal=journal)
    assert (tmp_path / "followed" / WEIGHTS).read_bytes() == (tmp_path / "alone" / WEIGHTS).read_bytes()
    assert load_json(tmp_path / "record.json")["step"] == SETTINGS.steps
    assert list((tmp_path / "events").iterdir())


@pytest.mark.parametrize("change", ["setting", "slices", "damaged"])
def test_a_checkpoint_of_another_training_is_not_resumed(base, tmp_path, monkeypatch, change):
    with monkeypatch.context() as patched:
        kill_in_step(patched, 5)
        with pytest.raises(Killed):
            train(base, tmp_path)
    settings, slices = SETTINGS, training_slices()
    if change == "setting":
        settings = dataclasses.replace(SETTINGS, learning_rate=2e-3)
    elif change == "slices":
        slices.mean[0, 0, 0, 0] += 1
    else:
        (tmp_path / "checkpoint.safetensors").write_bytes(b"no checkpoint")
    train(base, tmp_path, settings, slices)
    train(base, tmp_path / "fresh", settings, slices)
    assert (tmp_path / WEIGHTS).read_bytes() == (tmp_path / "fresh" / WEIGHTS).read_bytes()


def test_a_loss_that_is_not_finite_stops_before_it_reaches_the_weights(base, tmp_path, monkeypatch):
    real_loss = domain_loss
    calls = []

    def diverging(*arguments):
        calls.append(1)
        return real_loss(*arguments) * (float("nan") if len(calls) == 4 else 1)

    monkeypatch.setattr(finetuning, "domain_loss", diverging)
    with pytest.raises(
        InputError, match="'oedema' gave a loss or gradient of nan in step 4 with experts.learning_rate"
    ):
        train(base, tmp_path)
    assert not (tmp_path / WEIGHTS).exists()
    assert (tmp_path / "checkpoint.safetensors").is_file()  # of step 2


def test_a_stable_diffusion_model_trains(stable_diffusion, tmp_path):
    slices = training_slices(channels=8, width=32, downsampling=2, with_std=True)
    settings = dataclasses.replace(SETTINGS, steps=2)
    expert, history, _ = train(stable_diffusion, tmp_path, settings, slices)
    assert np.isfinite(history["loss"]).all() and (tmp_path / WEIGHTS).is_file()
    layout_weights = expert.get_submodule("base_model.model.conv_in.modules_to_save.default").weight[:, 8:]
    assert layout_weights.abs().max() > 0  # zero before training


def test_the_loss_ignores_what_lies_outside_the_domain():
    domains = torch.zeros(2, 32, 32, dtype=torch.uint8)
    domains[0, :16] = 1
    domains[1] = 2
    weights = dataclasses.replace(SETTINGS, context_weight=0.0).loss_weights(domains, downsampling=4)
    assert weights.shape == (2, 1, 8, 8)
    prediction, target = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    elsewhere = prediction + 100 * (weights == 0)
    torch.testing.assert_close(domain_loss(elsewhere, target, weights), domain_loss(prediction, target, weights))
    inside = (prediction - target)[0, :, :4].square().mean()
    torch.testing.assert_close(domain_loss(prediction, target, weights), inside)


def test_context_counts_by_its_weight_and_borders_by_their_share_of_pixels():
    domains = torch.zeros(1, 8, 8, dtype=torch.uint8)
    domains[0, :, :2] = 3
    settings = dataclasses.replace(SETTINGS, domain_id=3, context_weight=0.2)
    weights = settings.loss_weights(domains, downsampling=4)
    torch.testing.assert_close(weights[0, 0], torch.tensor([[0.6, 0.2], [0.6, 0.2]]))
    assert (dataclasses.replace(settings, domain_id=None).loss_weights(domains, downsampling=4) == 1).all()


def test_a_batch_depends_on_its_step_and_domain_alone():
    slices = training_slices(with_std=True)
    one, again = (draw_batch(slices, SETTINGS, 1000, 7) for _ in range(2))
    other_step = draw_batch(slices, SETTINGS, 1000, 8)
    other_domain = draw_batch(slices, dataclasses.replace(SETTINGS, domain="necrosis"), 1000, 7)
    for name, tensor in vars(one).items():
        torch.testing.assert_close(tensor, getattr(again, name))
    for other in (other_step, other_domain):
        assert not torch.equal(one.noise, other.noise)
        assert not torch.equal(one.timesteps, other.timesteps)


def test_prompts_and_layouts_are_dropped_at_their_probabilities():
    slices = training_slices()
    settings = dataclasses.replace(SETTINGS, batch_size=400, prompt_dropout=0.25, layout_dropout=0.5)
    batch = draw_batch(slices, settings, 1000, 0)
    empty = (batch.embeddings == torch.from_numpy(slices.embeddings[0]).float()).all((1, 2))
    assert 0.17 < empty.float().mean() < 0.33
    assert 0.4 < (batch.layout == 0).all(3).all(2).all(1).float().mean() < 0.6
    assert batch.timesteps.min() < 10 and batch.timesteps.max() > 990
    never = draw_batch(slices, dataclasses.replace(settings, prompt_dropout=0.0, layout_dropout=0.0), 1000, 0)
    assert (never.layout.sum((1, 2, 3)) > 0).all()
    assert not (never.embeddings == torch.from_numpy(slices.embeddings[0]).float()).all((1, 2)).any()


def test_posterior_samples_differ_from_the_mean_by_their_standard_deviation():
    slices = training_slices(with_std=True)
    settings = dataclasses.replace(SETTINGS, batch_size=100)
    sampled = draw_batch(slices, settings, 1000, 0).latents
    mean = draw_batch(dataclasses.replace(slices, std=None), settings, 1000, 0).latents
    assert (sampled - mean).std() == pytest.approx(0.1, rel=0.05)


def test_an_expert_without_slices_says_so():
    none = dataclasses.replace(training_slices(), mean=np.zeros((0, 4, 8, 8), np.float16))
    facts = describe_expert(SETTINGS, none, no_history(), ["T1"], "base")
    assert facts["trained"] is False and facts["slices"] == 0 and "no training slice" in facts["why"]
    assert facts["loss"] is None

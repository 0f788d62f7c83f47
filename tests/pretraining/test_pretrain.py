"""Pretraining: a base model from simulated slices, in the format that the loader takes, and resumed after a kill."""

import dataclasses
import types
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.look_reader import LookReader
from mosaicmr.diffusion.text import load_bundled_encoder
from mosaicmr.diffusion.unet import pool_prompt
from mosaicmr.errors import InputError
from mosaicmr.io import load_arrays
from mosaicmr.monitoring.journal import Journal
from mosaicmr.pretraining.autoencoder import AutoencoderSettings, train_autoencoder
from mosaicmr.pretraining.bank import BankSettings, build_bank, load_bank, simulate_shard
from mosaicmr.pretraining.codec import fit_patch_transform
from mosaicmr.pretraining.decoder import DecoderSettings
from mosaicmr.pretraining.pretrain import PretrainingSettings, RefinementSettings, pretrain, settings_from
from mosaicmr.pretraining.prompt_reader import ReaderSettings
from mosaicmr.pretraining.unet import (
    UNetData,
    UNetSettings,
    build_schedule,
    build_unet,
    draw_timesteps,
    spread_prompts,
    start_unet,
    train_unet,
    training_loss,
)
from mosaicmr.pretraining.unet_sets import MODALITIES, join_shards
from mosaicmr.simulation.anatomy import load_anatomy
from tests.support.workflow import CHECKOUT

TRAININGS = ("autoencoder", "unet", "refinement")
BANK = BankSettings("slices", shards=2, slices=3, size=32, pixel_size=6.0, free_contrast=0.3, trains=TRAININGS)
AUTOENCODER = AutoencoderSettings((16, 16), 2, 4, 2, 0.001, 0.0001, 2)
DECODER = DecoderSettings(steps=3, batch_size=2, learning_rate=0.001, noise=0.2, checkpoint_every=2)
READER = ReaderSettings(prompts=20, steps=3, batch_size=4, learning_rate=0.001, checkpoint_every=2)
UNET = UNetSettings(
    (16, 32),
    layers=1,
    steps=3,
    batch_size=2,
    learning_rate=0.001,
    dropout=0.1,
    ema_decay=0.9,
    tumour_weight=10.0,
    timestep_shift=2.0,
    checkpoint_every=2,
)
REFINEMENT = RefinementSettings(steps=3, learning_rate=1e-6, tumour_weight=1.0, free_looks=0.5)
READS_NOTHING = LookReader(8, modalities=4)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return build_bank(load_anatomy(), BANK, seed=1, folder=tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a pretraining whose U-Net moves much in its first training, and hardly in its last."""
    banks = {
        "contrasts": dataclasses.replace(BANK, pixel_size=5.0, shards=1, trains=("autoencoder",)),
        "slices": BANK,
        "fine": dataclasses.replace(BANK, size=48, pixel_size=4.0, shards=1, trains=("unet",)),
        "patients": dataclasses.replace(BANK, source="patients", shards=1),
    }
    unet = dataclasses.replace(UNET, learning_rate=0.3, checkpoint_every=UNET.steps)
    settings = PretrainingSettings(banks, AUTOENCODER, DECODER, READER, unet, REFINEMENT)
    folder = tmp_path_factory.mktemp("pretraining")
    pretrain(settings, load_bundled_encoder(), 1, folder / "work", folder / "base")
    return folder


def test_pretraining_writes_a_base_that_loads(pretrained: Path) -> None:
    folder = pretrained / "base"
    base = Base.open(folder, ["T1ce", "FLAIR"])
    codec, unet = base.codec, base.unet
    assert (codec.channels, codec.downsampling) == (2, 4)
    assert unet.config.out_channels == 2 * codec.channels
    curves = {path.stem for path in (folder / "training").iterdir()}
    assert curves == {"autoencoder", "decoder", "unet", "refinement"}
    fitted = load_arrays(pretrained / "work" / "prompt_reader.safetensors")
    shipped = Base.open(folder, ["T2"]).unet.reader
    np.testing.assert_allclose(shipped.values, fitted["values"][:, 3:], atol=1e-3)
    np.testing.assert_allclose(shipped.projection, fitted["projection"], atol=1e-3)
    assert np.abs(fitted["values"]).max() > 0.01


def test_the_refinement_goes_on_from_the_average_of_the_first_training(pretrained: Path) -> None:
    first, last = (load_file(pretrained / "work" / f"{name}.safetensors") for name in ("unet", "refinement"))
    shipped = Base.open(pretrained / "base", MODALITIES).unet.state_dict()
    moved = {name: (last[f"weight/averaged/{name}"] - first[f"weight/averaged/{name}"]).abs().max() for name in shipped}
    assert 0 < max(moved.values()) < 1e-4
    for name, weight in shipped.items():
        torch.testing.assert_close(weight, first[f"weight/averaged/{name}"], rtol=2e-3, atol=1e-4)


def test_the_refinement_alone_sees_free_looks_and_of_patients_only(pretrained: Path) -> None:
    work = pretrained / "work"
    assert [path.name for path in (work / "free_looks").iterdir()] == ["patients"]
    freed, own = (load_arrays(work / kind / "patients" / "000.safetensors") for kind in ("free_looks", "prepared"))
    same = (freed["latents"] == own["latents"]).all((1, 2, 3))
    assert not same.all()
    np.testing.assert_array_equal(freed["layout"][same], own["layout"][same])


@pytest.mark.parametrize(
    ("section", "change", "words"),
    [
        ("autoencoder", {"latent_channels": 20}, ["latent_channels' is 20", "at most 16"]),
        ("banks", {"slices": {"size": 136}}, ["banks.slices.size' is 136", "multiple of 16"]),
    ],
)
def test_sizes_that_do_not_fit_are_refused_before_anything_is_made(section: str, change: dict, words: list[str]):
    config = yaml.safe_load((CHECKOUT / "config" / "config.yaml").read_text())["pretrain"]
    for key, value in change.items():
        config[section][key] = config[section][key] | value if isinstance(value, dict) else value
    with pytest.raises(InputError) as caught:
        settings_from(config)
    assert all(word in str(caught.value) for word in words)


def test_slices_too_large_to_show_much_brain_are_refused() -> None:
    bank = dataclasses.replace(BANK, slices=1, pixel_size=30.0)
    with pytest.raises(InputError, match=r"0 show brain .* lower 'size' or 'pixel_size'"):
        simulate_shard(load_anatomy(), bank, 1, 0)


def test_an_autoencoder_resumed_after_a_kill_ends_with_the_same_weights(bank: list[Path], tmp_path: Path) -> None:
    images = load_bank(bank)["images"]
    transform = fit_patch_transform(images, channels=2, side=4)
    whole, _ = train_autoencoder(
        images, transform, AUTOENCODER, 1, tmp_path / "whole.safetensors", "cpu", Journal("test")
    )
    # The cosine depends on the number of steps, so the kill is played by the last checkpoint but one.
    killed = dataclasses.replace(AUTOENCODER, checkpoint_every=3)
    train_autoencoder(images, transform, killed, 1, tmp_path / "killed.safetensors", "cpu", Journal("test"))
    resumed, _ = train_autoencoder(
        images, transform, killed, 1, tmp_path / "killed.safetensors", "cpu", Journal("test")
    )
    for left, right in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=0)


def text_like_states(count: int, generator: torch.Generator) -> torch.Tensor:
    """States [count, 5, 8] that differ little from one another, as those of our prompts do."""
    return 3.0 + 0.01 * torch.randn(count, 5, 8, generator=generator)


@pytest.fixture(scope="module")
def sets() -> list[UNetData]:
    """Two sizes of slices with two latent channels a modality."""
    generator = torch.Generator().manual_seed(0)
    return [
        UNetData(
            latents=torch.randn(6, 8, side, side, generator=generator).half(),
            layout=torch.rand(6, 24, side, side, generator=generator).half(),
            present=torch.ones(6, 2, 4, dtype=torch.bool),
            prompt=torch.randint(1, 5, (6, 2), generator=generator),
            embeddings=text_like_states(5, generator).half(),
            mask=torch.ones(5, 5, dtype=torch.uint8),
        )
        for side in (8, 16)
    ]


def test_a_unet_resumed_after_a_kill_ends_with_the_same_weights_and_one_curve(
    sets: list[UNetData], tmp_path: Path
) -> None:
    settings = dataclasses.replace(UNET, steps=6, checkpoint_every=4)

    def sitting():
        start = start_unet(settings, sets[0], READS_NOTHING, seed=1)
        return train_unet(start, sets, settings, 1, tmp_path / "checkpoint.safetensors", "cpu", Journal("test"))

    whole, curve = sitting()
    # A checkpoint after four of six steps is what a kill leaves.
    again, resumed_curve = sitting()
    for left, right in zip(whole.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=0)
    assert list(curve["step"]) == list(resumed_curve["step"]) == [1, 2, 3, 4, 5, 6]
    assert resumed_curve["seconds"].is_monotonic_increasing


def test_timesteps_are_spread_over_all_and_drawn_to_the_noisier_end() -> None:
    draws = torch.cat([draw_timesteps(20, 1.0, 1000, torch.Generator().manual_seed(seed)) for seed in range(50)])
    shifted = torch.cat([draw_timesteps(20, 3.0, 1000, torch.Generator().manual_seed(seed)) for seed in range(50)])
    assert (draws.reshape(-1, 20) // 50 == torch.arange(20)).all()
    # Half of t' = 3 t / (1 + 2 t) lies above 3/4.
    assert shifted.float().quantile(0.5).item() == pytest.approx(750, abs=30)
    assert shifted.min() >= 0 and shifted.max() < 1000


def test_a_timestep_never_rounds_up_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    almost = torch.full((16,), 1 - 2**-24)
    monkeypatch.setattr("mosaicmr.pretraining.unet.torch.rand", lambda *_, **__: almost)
    assert draw_timesteps(16, 1.0, 1000, torch.Generator()).max() == 999


def test_a_loss_that_is_not_finite_ends_the_training(sets: list[UNetData], tmp_path: Path) -> None:
    spoilt = [dataclasses.replace(one, latents=one.latents * float("nan")) for one in sets]
    start = start_unet(UNET, spoilt[0], READS_NOTHING, seed=1)
    with pytest.raises(InputError, match=r"nan in step 1 .*pretrain\.unet\.learning_rate"):
        train_unet(start, spoilt, UNET, 1, tmp_path / "checkpoint.safetensors", "cpu", Journal("unet"))


def test_an_error_in_the_tumour_counts_as_often_as_its_weight_says(sets: list[UNetData]) -> None:
    # Tumour covers one of the 64 latent pixels, and its velocity alone is wrong.
    data = dataclasses.replace(sets[0], latents=torch.zeros(1, 8, 8, 8), layout=torch.zeros(1, 24, 8, 8))
    data = dataclasses.replace(data, present=data.present[:1], prompt=data.prompt[:1])
    data.layout[0, :4, 2, 2] = 1.0

    class NoiseButInTheTumour(torch.nn.Module):
        config = types.SimpleNamespace(class_embed_type=None)

        def forward(self, inputs, timesteps, **_):
            # Of latents that are 0, all that is noisy is noise, and the velocity is its share alpha.
            scale = build_schedule().alphas_cumprod[timesteps].reshape(-1, 1, 1, 1)
            velocity = inputs[:, :8] * (scale / (1 - scale)).sqrt()
            velocity[:, :, 2, 2] += 1.0
            return types.SimpleNamespace(sample=velocity)

    def loss(weight: float) -> float:
        settings = dataclasses.replace(UNET, batch_size=4, dropout=0.0, tumour_weight=weight)
        drawn = (data, settings.batch_size)
        generator = torch.Generator().manual_seed(1)
        return training_loss(NoiseButInTheTumour(), build_schedule(), drawn, settings, generator, "cpu").item()

    assert loss(0.0) == pytest.approx(1 / 64, rel=0.02)
    assert loss(10.0) == pytest.approx(11 / 74, rel=0.02)


def test_prompts_that_differ_little_start_far_apart(sets: list[UNetData]) -> None:
    unet = build_unet(UNET, latent_channels=8, modalities=4, text_width=8)
    pooled = pool_prompt(sets[0].embeddings[1:].float(), sets[0].mask[1:])

    def spread() -> float:
        states = unet.class_embedding.linear_1(pooled)
        return (states.std(0).mean() / states.abs().mean()).item()

    before = spread()
    spread_prompts(unet, sets[0])
    assert spread() > 20 * before


def test_the_noise_schedule_ends_in_pure_noise() -> None:
    assert build_schedule().alphas_cumprod[-1].abs() < 1e-6


def test_shards_of_prompts_of_different_lengths_become_one_set():
    def shard(count: int, length: int, first: int) -> dict[str, torch.Tensor]:
        """One slice a prompt; the state of prompt i is `first` + i in all tokens, 0 for the empty prompt."""
        values = torch.cat([torch.zeros(1), first + torch.arange(count)])
        return {
            "latents": values[1:, None, None, None].half(),
            "layout": torch.zeros(count, 24, 1, 1).half(),
            "present": torch.ones(count, 1, 4, dtype=torch.bool),
            "prompt": 1 + torch.arange(count)[:, None],
            "embeddings": values[:, None, None].expand(-1, length, 2).half(),
            "mask": torch.ones(count + 1, length, dtype=torch.uint8),
        }

    joined = join_shards([shard(2, 5, 10), shard(3, 4, 20), shard(1, 6, 30)])
    assert joined.embeddings.shape == (7, 6, 2)
    assert (joined.embeddings[0] == 0).all()
    for latents, (row,) in zip(joined.latents, joined.prompt, strict=True):
        told = joined.embeddings[row][joined.mask[row] > 0]
        assert (told == latents.item()).all()
    assert joined.mask.sum(1).tolist() == [5, 5, 5, 4, 4, 4, 6]

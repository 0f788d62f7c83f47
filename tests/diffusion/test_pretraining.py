"""Pretraining: a base model from simulated slices, in the format that the loader takes, and resumed after a kill."""

import dataclasses
from pathlib import Path

import pytest
import torch

from mosaicmr.cohort.anatomy import load_anatomy
from mosaicmr.diffusion.bank import BankSettings, build_bank, load_bank
from mosaicmr.diffusion.base import load_codec, load_unet
from mosaicmr.diffusion.patch_transform import fit_patch_transform
from mosaicmr.diffusion.pretrain_autoencoder import AutoencoderSettings, train_autoencoder
from mosaicmr.diffusion.pretrain_unet import UNetSettings, build_schedule
from mosaicmr.diffusion.pretraining import PretrainingSettings, pretrain
from mosaicmr.diffusion.text import load_bundled_encoder
from mosaicmr.diffusion.training import cosine_rate

BANK = BankSettings(shards=2, slices=3, size=32, pixel_size=6.0, free_contrast=0.3)
AUTOENCODER = AutoencoderSettings((16, 16), 2, 4, 2, 0.001, 0.0001, 2)
UNET = UNetSettings((16, 32), 1, 3, 2, 0.001, 0.1, 0.9, 2)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return build_bank(load_anatomy(), BANK, seed=1, folder=tmp_path_factory.mktemp("bank"))


def test_pretraining_writes_a_base_that_loads(tmp_path: Path) -> None:
    settings = PretrainingSettings(dataclasses.replace(BANK, pixel_size=5.0, shards=1), BANK, AUTOENCODER, UNET)
    pretrain(settings, load_bundled_encoder(), 1, tmp_path / "work", tmp_path / "base")
    codec = load_codec(tmp_path / "base")
    unet = load_unet(tmp_path / "base", ["T1ce", "FLAIR"])
    assert (codec.channels, codec.factor) == (2, 4)
    assert unet.config.out_channels == 2 * codec.channels
    assert (tmp_path / "base" / "training" / "unet.parquet").exists()


def test_an_autoencoder_resumed_after_a_kill_ends_with_the_same_weights(bank: list[Path], tmp_path: Path) -> None:
    images = load_bank(bank)["images"]
    transform = fit_patch_transform(images, channels=2, side=4)
    whole, _ = train_autoencoder(images, transform, AUTOENCODER, 1, tmp_path / "whole.safetensors")
    # The cosine depends on the number of steps, so the kill is played by the last checkpoint but one.
    killed = dataclasses.replace(AUTOENCODER, checkpoint_every=3)
    train_autoencoder(images, transform, killed, 1, tmp_path / "killed.safetensors")
    resumed, _ = train_autoencoder(images, transform, killed, 1, tmp_path / "killed.safetensors")
    for left, right in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=0)


def test_the_noise_schedule_ends_in_pure_noise() -> None:
    assert build_schedule().alphas_cumprod[-1].abs() < 1e-6


def test_the_learning_rate_rises_then_falls() -> None:
    rates = [cosine_rate(step, 100, 1.0, warmup=10) for step in range(100)]
    assert rates[0] < rates[9] == max(rates)
    assert rates[-1] < 0.05

"""The decoder's last training: noisy latents decode better, the encoder is untouched, a kill changes nothing."""

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from mosaicmr.diffusion.codec import Codec
from mosaicmr.errors import InputError
from mosaicmr.monitoring.journal import Journal
from mosaicmr.pretraining.autoencoder import AutoencoderSettings, build_autoencoder
from mosaicmr.pretraining.bank import BankSettings, build_bank, load_bank
from mosaicmr.pretraining.codec import fit_patch_transform, normalised_codec
from mosaicmr.pretraining.decoder import DecoderSettings, add_noise, train_decoder
from mosaicmr.simulation.anatomy import load_anatomy

BANK = BankSettings("slices", shards=1, slices=6, size=32, pixel_size=6.0, free_contrast=0.3, trains=("autoencoder",))
SETTINGS = DecoderSettings(steps=60, batch_size=8, learning_rate=0.003, noise=1.0, checkpoint_every=40)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return load_bank(build_bank(load_anatomy(), BANK, seed=1, folder=tmp_path_factory.mktemp("bank")))["images"]


@pytest.fixture(scope="module")
def untrained(images: np.ndarray) -> Codec:
    torch.manual_seed(0)
    autoencoder = build_autoencoder(AutoencoderSettings((16, 16), 4, 1, 1, 0.001, 0.0, 1))
    return normalised_codec(autoencoder, fit_patch_transform(images, channels=4, side=4), images)


def train(codec: Codec, images: np.ndarray, settings: DecoderSettings, checkpoint: Path) -> tuple[Codec, list[int]]:
    trained = copy.deepcopy(codec)
    curve = train_decoder(images, trained, settings, 1, checkpoint, "cpu", Journal("test"))
    return trained, list(curve["step"])


def test_noisy_latents_decode_better_and_clean_ones_encode_as_before(
    untrained: Codec, images: np.ndarray, tmp_path: Path
) -> None:
    trained, steps = train(untrained, images, SETTINGS, tmp_path / "decoder.safetensors")
    slices = torch.from_numpy(images).float() / 255
    latents, _ = untrained.encode(slices)
    noisy = latents + torch.randn(latents.shape, generator=torch.Generator().manual_seed(2))

    def error(codec: Codec) -> float:
        return (codec.decode(noisy) - slices).abs().mean().item()

    assert error(trained) < 0.9 * error(untrained)
    torch.testing.assert_close(trained.encode(slices)[0], latents, rtol=0, atol=0)
    assert steps == list(range(1, 61))


def test_a_decoder_resumed_after_a_kill_ends_with_the_same_weights(
    untrained: Codec, images: np.ndarray, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "decoder.safetensors"
    settings = dataclasses.replace(SETTINGS, steps=5, checkpoint_every=3)
    whole, curve = train(untrained, images, settings, checkpoint)
    # A checkpoint after three of five steps is what a kill leaves.
    resumed, again = train(untrained, images, settings, checkpoint)
    for left, right in zip(whole.autoencoder.parameters(), resumed.autoencoder.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=0)
    assert again == curve


def test_each_example_has_its_own_share_of_noise() -> None:
    noise = add_noise(torch.zeros(2000, 2, 8, 8), 0.5, torch.Generator().manual_seed(0))
    spread = noise.std((1, 2, 3))
    assert spread.min() < 0.01
    assert spread.square().mean().sqrt().item() == pytest.approx(0.5, rel=0.05)


def test_a_loss_that_is_not_finite_is_told_in_one_sentence(
    untrained: Codec, images: np.ndarray, tmp_path: Path
) -> None:
    settings = dataclasses.replace(SETTINGS, noise=float("nan"))
    with pytest.raises(InputError, match=r"nan in step 1 .*pretrain\.decoder\.learning_rate"):
        train(untrained, images, settings, tmp_path / "decoder.safetensors")

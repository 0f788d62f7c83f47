"""The fitted parts of the codec: a basis of patches, ordered by the share of the pixels that it explains."""

import numpy as np
import pytest
import torch

from mosaicmr.diffusion.codec import Codec
from mosaicmr.pretraining.autoencoder import UNSHUFFLE, AutoencoderSettings, build_autoencoder
from mosaicmr.pretraining.codec import fit_patch_transform


@pytest.fixture
def images() -> np.ndarray:
    """Smooth pictures with noise: uint8 [6, 2, 32, 32]."""
    generator = np.random.default_rng(1)
    rows, columns = np.mgrid[0:32, 0:32]
    phases = generator.uniform(0, 6, (6, 2, 1, 1))
    waves = 130 + 60 * np.sin(rows / 5 + phases) * np.cos(columns / 7 + phases)
    return (waves + generator.normal(0, 2, waves.shape)).clip(10, 255).astype(np.uint8)


def pixels_of(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).reshape(-1, 1, 32, 32).float() / 255 * 2 - 1


def test_all_components_give_the_pixels_back(images: np.ndarray) -> None:
    transform = fit_patch_transform(images, channels=16, side=4)
    pixels = pixels_of(images)
    torch.testing.assert_close(transform.decode(transform.encode(pixels)), pixels, atol=1e-4, rtol=0)


def test_latents_are_uncorrelated_with_unit_variance_about_mid_grey(images: np.ndarray) -> None:
    transform = fit_patch_transform(images, channels=6, side=4)
    latents = transform.encode(pixels_of(images)).transpose(0, 1).reshape(6, -1)
    torch.testing.assert_close(latents @ latents.T / latents.shape[1], torch.eye(6), atol=1e-3, rtol=0)


def test_more_components_explain_more(images: np.ndarray) -> None:
    pixels = pixels_of(images)
    errors = []
    for channels in (1, 4, 8, 16):
        transform = fit_patch_transform(images, channels, side=4)
        errors.append((transform.decode(transform.encode(pixels)) - pixels).square().mean().item())
    assert errors == sorted(errors, reverse=True)
    assert errors[1] < errors[0] / 2


def test_background_does_not_count(images: np.ndarray) -> None:
    black = np.concatenate([images, np.zeros_like(images)])
    with_black, without = (fit_patch_transform(array, 4, 4) for array in (black, images))
    torch.testing.assert_close(with_black.components, without.components)


def test_an_untrained_autoencoder_is_the_transform_alone(images: np.ndarray) -> None:
    transform = fit_patch_transform(images, channels=4, side=4)
    autoencoder = build_autoencoder(AutoencoderSettings((16, 16), 4, 1, 1, 0.001, 0.0, 1)).eval()
    codec = Codec(autoencoder, UNSHUFFLE, 1, torch.zeros(4), torch.ones(4), transform)
    slices = torch.from_numpy(images).float() / 255
    expected = (transform.decode(transform.encode(pixels_of(images))) + 1) / 2
    decoded = codec.decode(codec.encode(slices)[0])
    torch.testing.assert_close(decoded, expected.reshape(slices.shape).clamp(0, 1), atol=1e-5, rtol=0)

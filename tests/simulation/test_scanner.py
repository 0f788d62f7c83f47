"""One scanner for volumes and slices: each of its faults is what its number says, and none is there without it."""

import math

import pytest
import torch

from mosaicmr.seeds import torch_generator
from mosaicmr.simulation.scanner import Scanner, acquire

PERFECT = Scanner(bias=0.0, bias_length=50.0, blur=0.0, noise=0.0)
SHAPES = [(40, 40), (24, 24, 24)]
VOXEL_SIZE = 2.0


def scan(signal: torch.Tensor, seed: int = 0, **faults: float) -> torch.Tensor:
    """The image of a signal whose brain is everything above 0, by a scanner that has the given faults only."""
    scanner = Scanner(**{**vars(PERFECT), **faults})
    return acquire(signal, signal > 0, VOXEL_SIZE, scanner, torch_generator(seed, "test"))


def block(shape: tuple[int, ...]) -> torch.Tensor:
    """A signal of 2 within a margin of 8 voxels of air."""
    signal = torch.zeros(shape)
    signal[(slice(8, -8),) * len(shape)] = 2.0
    return signal


@pytest.mark.parametrize("shape", SHAPES)
def test_a_perfect_scanner_gives_the_signal(shape):
    torch.testing.assert_close(scan(block(shape)), block(shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_bias_field_multiplies_and_is_smooth(shape):
    logarithms = [scan(torch.ones(shape), seed, bias=0.1).log() for seed in range(12)]
    assert torch.stack(logarithms).std() == pytest.approx(0.1, rel=0.3)
    assert all(bias.diff(dim=0).abs().max() < 0.05 for bias in logarithms)
    doubled = scan(2 * torch.ones(shape), bias=0.1)
    torch.testing.assert_close(doubled, 2 * logarithms[0].exp())


@pytest.mark.parametrize("shape", SHAPES)
def test_blur_spreads_a_point_by_as_many_mm(shape):
    signal = torch.zeros(shape)
    signal[(shape[0] // 2,) * len(shape)] = 1.0
    profile = scan(signal, blur=3.0).sum(dim=tuple(range(1, len(shape))))
    offsets = (torch.arange(shape[0]) - shape[0] // 2) * VOXEL_SIZE
    assert profile.sum() == pytest.approx(1)
    assert (profile * offsets.square()).sum().sqrt() == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize("shape", SHAPES)
def test_noise_is_normal_in_the_brain_and_rayleigh_in_air(shape):
    """A tenth of the brain's mean signal of 2 is 0.2; the mean magnitude of air is sqrt(pi / 2) times that."""
    images = torch.stack([scan(block(shape), seed, noise=0.1) for seed in range(4)])
    brain = (block(shape) > 0).expand_as(images)
    assert images[brain].std() == pytest.approx(0.2, rel=0.05)
    assert images[~brain].mean() == pytest.approx(0.2 * math.sqrt(math.pi / 2), rel=0.05)


def test_the_same_generator_gives_the_same_image():
    faults = {"bias": 0.1, "blur": 1.0, "noise": 0.05}
    assert torch.equal(scan(block((40, 40)), **faults), scan(block((40, 40)), **faults))

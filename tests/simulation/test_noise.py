"""One noise field for volumes and slices: of unit spread, and as smooth as asked."""

import pytest
import torch

from mosaicmr.seeds import torch_generator
from mosaicmr.simulation.noise import noise_field


def draw(axes: int, length: float, seed: int = 0) -> torch.Tensor:
    """A field of 96 mm in voxels of 2 mm."""
    return noise_field(torch_generator(seed, "test"), (48,) * axes, (96.0,) * axes, length)


def correlation(field: torch.Tensor, lag: int) -> float:
    """Of values `lag` voxels apart along the first axis."""
    return torch.corrcoef(torch.stack([field[lag:].flatten(), field[:-lag].flatten()]))[0, 1].item()


@pytest.mark.parametrize("axes", [2, 3])
def test_it_has_about_unit_spread_around_zero(axes):
    fields = torch.stack([draw(axes, 8.0, seed) for seed in range(10)])
    assert fields.mean().abs() < 0.1
    assert 0.8 < fields.std() < 1.2


@pytest.mark.parametrize("axes", [2, 3])
def test_it_varies_over_its_length(axes):
    """Values a length apart have little to do with each other, those a quarter of it apart have much."""
    for length in (8.0, 16.0):
        fields = torch.cat([draw(axes, length, seed).flatten(1) for seed in range(6)], dim=1)
        assert correlation(fields, round(length / 2 / 4)) > 0.75
        assert correlation(fields, round(length / 2 * 1.5)) < 0.35


def test_each_axis_has_its_own_extent():
    """A field that is longer in mm has more hills along that axis, whatever its number of voxels."""
    long = noise_field(torch_generator(0, "test"), (40, 40), (200.0, 50.0), 10.0)
    turns = [int((long.diff(dim=axis).sign().diff(dim=axis) != 0).sum()) for axis in (0, 1)]
    assert turns[0] > 2 * turns[1]


def test_a_length_beyond_the_extent_gives_a_slope():
    field = noise_field(torch_generator(0, "test"), (9, 9, 9), (10.0,) * 3, 500.0)
    steps = field[:, 4, 4].diff()
    torch.testing.assert_close(steps, steps.mean().expand(8))


def test_the_same_generator_gives_the_same_field():
    assert torch.equal(draw(3, 8.0), draw(3, 8.0))
    assert not torch.equal(draw(3, 8.0), draw(3, 8.0, seed=1))

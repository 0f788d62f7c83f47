"""Intensities are put on a scale by the brain alone."""

import numpy as np
import pytest

from mosaicmr.cohort.normalise import normalise_intensities


@pytest.fixture
def brain():
    mask = np.zeros((8, 8, 8), bool)
    mask[1:7, 1:7, 1:7] = True
    return mask


def test_percentiles_of_the_brain_become_zero_and_one(brain):
    values = np.random.default_rng(0).uniform(50, 60, (2, 8, 8, 8)).astype(np.float32)
    result = normalise_intensities(values, brain, (10, 90))
    low, high = np.percentile(values[0][brain], (10, 90))
    expected = np.clip((values[0] - low) / (high - low), 0, 1)
    np.testing.assert_allclose(result[0][brain], expected[brain], atol=1e-5)
    assert (result[:, ~brain] == 0).all()


def test_background_and_gain_change_nothing(brain):
    values = np.random.default_rng(0).uniform(50, 60, (1, 8, 8, 8)).astype(np.float32)
    elsewhere = np.where(brain, values * 3 + 7, 9999).astype(np.float32)
    np.testing.assert_allclose(
        normalise_intensities(values, brain, (1, 99)), normalise_intensities(elsewhere, brain, (1, 99)), atol=1e-4
    )


def test_a_few_bright_voxels_in_an_otherwise_flat_image_do_not_divide_by_zero(brain):
    values = np.where(brain, 5.0, 0.0)[None].astype(np.float32)
    values[0, 3, 3, 3] = 6
    result = normalise_intensities(values, brain, (5, 95))
    assert np.isfinite(result).all()
    assert result.max() == 1


def test_slices_are_scaled_as_volumes_are(brain):
    values = np.random.default_rng(0).uniform(50, 60, (2, 8, 8, 1)).astype(np.float32)
    flat = normalise_intensities(values[..., 0], brain[..., 3], (1, 99))
    np.testing.assert_array_equal(flat, normalise_intensities(values, brain[..., 3:4], (1, 99))[..., 0])


def test_without_a_brain_all_is_zero(brain):
    assert not normalise_intensities(np.ones((2, 8, 8, 8), np.float32), np.zeros_like(brain), (1, 99)).any()

"""Resampling keeps constants, places and areas, and fades out beyond the volume."""

import numpy as np
import pytest

from mosaicmr.cohort.resampling import MASK_SUPPORT, resampling_matrix


@pytest.mark.parametrize(("spacing", "pixel_size"), [(1.0, 1.0), (1.0, 1.5), (1.0, 0.5), (0.9, 2.3), (1.0, 4.0)])
@pytest.mark.parametrize("support", [1.0, MASK_SUPPORT])
def test_a_constant_stays_and_places_run_backwards_in_mm(spacing, pixel_size, support):
    matrix = resampling_matrix(100, spacing, 20, pixel_size, centre=49.5, support=support)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-5)
    positions = matrix @ np.arange(100) * spacing
    np.testing.assert_allclose(np.diff(positions), -pixel_size, rtol=0.2)
    assert positions.mean() == pytest.approx(49.5 * spacing, rel=0.01)


def test_pixels_like_voxels_are_a_plain_reversal():
    np.testing.assert_array_equal(resampling_matrix(6, 2.0, 6, 2.0, centre=2.5), np.eye(6)[::-1])


def test_weights_fade_out_beyond_the_volume():
    matrix = resampling_matrix(4, 1.0, 9, 1.0, centre=2.0)
    np.testing.assert_array_equal(matrix @ np.ones(4), [0, 0, 0, 1, 1, 1, 1, 0, 0])


def test_a_fine_pattern_becomes_grey_rather_than_stripes():
    stripes = np.arange(120) % 2
    result = resampling_matrix(120, 1.0, 20, 4.0, centre=59.5) @ stripes
    np.testing.assert_allclose(result, 0.5, atol=0.05)

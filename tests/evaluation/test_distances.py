"""Fréchet and kernel distances have their known values."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from mosaicmr.evaluation.frechet import frechet_distance, mean_frechet
from mosaicmr.evaluation.kid import KernelDistance, polynomial_kernel, unbiased_mmd


def textbook_frechet(left, right):
    shift = left.mean(0) - right.mean(0)
    first, second = np.cov(left, rowvar=False), np.cov(right, rowvar=False)
    return shift @ shift + np.trace(first + second - 2 * sqrtm(first @ second).real)


def whitened(generator, count, dimensions):
    """Vectors with mean exactly 0 and covariance exactly the identity."""
    values = generator.normal(size=(count, dimensions))
    values -= values.mean(0)
    return values @ np.linalg.inv(np.linalg.cholesky(np.cov(values, rowvar=False))).T


def test_frechet_distance_of_known_gaussians():
    generator = np.random.default_rng(0)
    left, right = whitened(generator, 60, 4), whitened(generator, 50, 4)
    assert frechet_distance(left, right) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(left, right + 2.0) == pytest.approx(16.0)
    assert frechet_distance(left, right * 3.0) == pytest.approx(4 * (3 - 1) ** 2)


@pytest.mark.filterwarnings("ignore:Matrix is singular")
@pytest.mark.parametrize(("n", "m"), [(40, 30), (4, 30), (40, 3), (5, 4)])
def test_frechet_distance_equals_the_matrix_square_root(n, m):
    generator = np.random.default_rng(n)
    left, right = generator.normal(size=(n, 8)), generator.normal(1.0, 2.0, size=(m, 8))
    # With few slices the product is singular and sqrtm only approximate.
    assert frechet_distance(left, right) == pytest.approx(textbook_frechet(left, right), rel=1e-4)


def test_frechet_distance_is_undefined_for_one_slice_and_averaged_over_modalities():
    generator = np.random.default_rng(0)
    left, right = generator.normal(size=(9, 2, 5)), generator.normal(size=(7, 2, 5))
    assert np.isnan(frechet_distance(left[:1, 0], right[:, 0]))
    each = [frechet_distance(left[:, index], right[:, index]) for index in range(2)]
    assert mean_frechet(left, right) == pytest.approx(np.mean(each))


def test_kid_has_mean_zero_for_equal_distributions():
    generator = np.random.default_rng(0)
    values = []
    for _ in range(300):
        x, y = generator.normal(size=(12, 4)), generator.normal(size=(10, 4))
        values.append(unbiased_mmd(polynomial_kernel(x, x), polynomial_kernel(y, y), polynomial_kernel(x, y)))
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(300)
    assert min(values) < 0 < max(values)


def test_kid_of_subsets_agrees_with_all_slices_and_sees_a_shift():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(60, 2, 6)), generator.normal(1.0, size=(50, 2, 6))
    everything = [np.ones(60, bool), np.ones(50, bool)]
    whole = KernelDistance(x[:50], y, subset=1000, seed=1)(everything[0][:50], everything[1])
    subsets = KernelDistance(x, y, subset=20, seed=1)(*everything)
    assert whole > 0.5
    assert subsets == pytest.approx(whole, rel=0.2)
    assert KernelDistance(x, y, subset=20, seed=1)(*everything) == subsets


def test_kid_leaves_slices_out():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(20, 1, 6)), generator.normal(size=(20, 1, 6))
    y[:5] += 5.0
    distance = KernelDistance(x, y, subset=20, seed=1)
    everyone = np.ones(20, bool)
    without = everyone.copy()
    without[:5] = False
    assert distance(everyone, without) < 0.2 * distance(everyone, everyone)
    assert np.isnan(distance(everyone, np.zeros(20, bool)))

"""A deformation is smooth, as large as asked for, and moves everything alike."""

import numpy as np
import pytest

from mosaicmr.synthesis.annotated_slice import AnnotatedSlice, mirror
from mosaicmr.synthesis.deformation import deform, random_coordinates
from tests.support.small_slices import PIXEL, SIZE, brain_mask, tissue_greys, tumour_labels


def coordinates_of(deformation: float, seed: int = 0) -> np.ndarray:
    return random_coordinates((SIZE, SIZE), PIXEL, deformation, np.random.default_rng(seed))


def test_the_displacement_is_in_millimetres_and_zero_is_the_identity():
    grid = np.mgrid[:SIZE, :SIZE]
    assert np.allclose(coordinates_of(0.0), grid)
    spread = np.mean([np.std(coordinates_of(4.0, seed) - grid) * PIXEL for seed in range(8)])
    assert 4.0 < spread < 9.0  # elastic part and affine part together
    assert np.mean([np.std(coordinates_of(2.0, seed) - grid) * PIXEL for seed in range(8)]) == pytest.approx(
        spread / 2, rel=0.05
    )


@pytest.mark.parametrize("deformation", [3.0, 10.0])
def test_tissue_never_folds_over(deformation):
    for seed in range(10):
        rows, columns = coordinates_of(deformation, seed)
        jacobian = np.diff(rows, axis=0)[:, :-1] * np.diff(columns, axis=1)[:-1] - (
            np.diff(rows, axis=1)[:-1] * np.diff(columns, axis=0)[:, :-1]
        )
        assert jacobian.min() > 0


def test_images_and_maps_move_together():
    labels = tumour_labels()
    image = np.where(labels > 0, 1.0, 0.3 * brain_mask()).astype(np.float32)
    one = AnnotatedSlice(image[None], labels, brain_mask().astype(np.uint8), labels + brain_mask() * np.uint8(4))
    moved = deform(one, coordinates_of(4.0))
    assert not np.array_equal(moved.labels, labels)
    assert np.array_equal(moved.domains, moved.labels + 4 * moved.brain)
    assert moved.images[0][moved.labels == 1].mean() > 0.9
    assert not moved.images[:, moved.brain == 0].any()
    assert moved.images.dtype == np.float32
    assert moved.labels.dtype == np.uint8


def test_mirroring_twice_changes_nothing():
    grey = tissue_greys().astype(np.float32)[None]
    one = AnnotatedSlice(grey, tumour_labels(), brain_mask().astype(np.uint8), tumour_labels())
    once, twice = mirror(one), mirror(mirror(one))
    assert not np.array_equal(once.labels, one.labels)
    assert np.array_equal(twice.labels, one.labels)
    assert np.array_equal(twice.images, one.images)

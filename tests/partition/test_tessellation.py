"""The tessellation covers healthy brain exactly, in connected cells without slivers, the same on every run."""

import numpy as np
import pytest
from skimage.measure import label

from mosaicmr.partition.tessellation import TessellationSettings, measure_cells, tessellate, tessellate_slices
from tests.support.small_slices import PIXEL, SIZE, brain_mask, ellipse, tissue_greys, tumour_labels

SETTINGS = TessellationSettings(cells=60, iterations=5, grey_weight=1.0, density_power=1.0, min_fragment_area=36.0)


def healthy_mask() -> np.ndarray:
    return brain_mask() & (tumour_labels() == 0)


def cells_of(settings=SETTINGS, seed=1, name="a-z10", grey=None, healthy=None) -> np.ndarray:
    grey = tissue_greys() if grey is None else grey
    return tessellate(grey, healthy_mask() if healthy is None else healthy, PIXEL, settings, seed, name)


def test_cells_cover_exactly_the_brain_without_tumour():
    grey, brain, labels = tissue_greys(), brain_mask(), tumour_labels()
    cells = tessellate_slices(grey[None], brain[None], labels[None], PIXEL, SETTINGS, 1, ["a-z10"])[0]
    assert cells.dtype == np.uint16
    assert np.array_equal(cells > 0, brain & (labels == 0))
    assert np.array_equal(np.unique(cells), np.arange(cells.max() + 1))
    assert cells.max() > 20


def test_every_cell_is_one_piece_and_none_is_a_sliver():
    noisy = tissue_greys(noise=0.2)
    cells = cells_of(grey=noisy)
    assert label(cells, background=0, connectivity=1).max() == cells.max()
    assert measure_cells(cells, noisy, PIXEL)["area_mm2"].min() >= SETTINGS.min_fragment_area


def test_the_same_seed_and_slice_give_the_same_cells_and_others_do_not():
    assert np.array_equal(cells_of(), cells_of())
    assert not np.array_equal(cells_of(), cells_of(seed=2))
    assert not np.array_equal(cells_of(), cells_of(name="a-z11"))


def test_grey_weight_makes_cells_follow_tissue():
    def spread_within_cells(grey_weight: float) -> float:
        grey = tissue_greys()
        cells = cells_of(TessellationSettings(60, 5, grey_weight, 1.0, 36.0), grey=grey)
        means = measure_cells(cells, grey, PIXEL).set_index("cell")["grey"]
        inside = cells > 0
        return float(np.abs(grey[inside] - means.loc[cells[inside]].to_numpy()).mean())

    assert spread_within_cells(1.0) < 0.7 * spread_within_cells(0.0)


def test_contrast_does_not_change_the_cells():
    grey = tissue_greys(noise=0.05)
    assert np.array_equal(cells_of(grey=grey), cells_of(grey=0.25 * grey))


def test_density_makes_cells_smaller_where_grey_changes():
    # Half of the brain is flat, half has stripes.
    grey = np.where(np.arange(SIZE) % 8 < 4, 0.4, 0.6) * np.ones((SIZE, SIZE))
    grey[:, : SIZE // 2] = 0.5
    settings = TessellationSettings(60, 10, 0.0, 2.0, 36.0)
    cells = cells_of(settings, grey=grey, healthy=brain_mask())
    assert len(np.unique(cells[:, SIZE // 2 :])) > 1.3 * len(np.unique(cells[:, : SIZE // 2]))


def test_an_island_too_small_for_a_cell_joins_the_nearest_one():
    healthy = ellipse(20, 20, 10, 10)
    healthy[50, 50] = True
    cells = cells_of(healthy=healthy, grey=np.full((SIZE, SIZE), 0.5))
    assert np.array_equal(cells > 0, healthy)
    assert np.count_nonzero(cells == cells[50, 50]) > 1


@pytest.mark.parametrize("pixels", [0, 1, 3])
def test_a_slice_with_next_to_no_healthy_brain_is_covered_too(pixels):
    healthy = np.zeros((SIZE, SIZE), bool)
    healthy[10, 10 : 10 + pixels] = True
    cells = cells_of(healthy=healthy)
    assert np.array_equal(cells > 0, healthy)
    assert len(measure_cells(cells, tissue_greys(), PIXEL)) == min(pixels, 1)


def test_measured_area_is_in_square_millimetres():
    cells = cells_of()
    table = measure_cells(cells, tissue_greys(), PIXEL)
    assert table["area_mm2"].sum() == pytest.approx(healthy_mask().sum() * PIXEL**2)
    assert table["grey"].between(0, 1).all()

"""The partition figure shows training patients only, without their names, and all domains."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from mosaicmr.figures.partition import OVERLAY, Panel, choose_panels, draw_partition
from mosaicmr.figures.style import YELLOW, domain_colours
from mosaicmr.partition.domains import Domain
from tests.support.small_slices import SIZE, brain_mask, tissue_greys, tumour_labels

DOMAINS = [
    Domain(1, "oedema", "tumour", tumour_class=2),
    Domain(2, "healthy1", "healthy", grey_low=0.0, grey_high=0.7),
    Domain(3, "healthy2", "healthy", grey_low=0.7),
]


def test_panels_are_the_largest_tumours_of_different_training_patients():
    slices = pd.DataFrame({"subject": ["a", "a", "b", "c", "d"], "patient": list("PPPQR"), "slice": list("vwxyz")})
    slices["tumour_area_mm2"] = [1.0, 9.0, 4.0, 5.0, 6.0]
    subjects = pd.DataFrame(
        {"subject": list("abcd"), "patient": list("PPQR"), "split": ["train", "train", "test", "train"]}
    )
    assert list(choose_panels(slices, subjects, 3)["slice"]) == ["w", "z"]


@pytest.fixture
def panel() -> Panel:
    """A tumour in healthy tissue, dark to the left and bright to the right, in cells eight columns wide."""
    labels, brain = tumour_labels(), brain_mask()
    domains = np.where(labels > 0, 1, np.where(brain, 2 + (np.arange(SIZE) > 30), 0)).astype(np.uint8)
    cells = np.where(brain & (labels == 0), 1 + np.arange(SIZE) // 8, 0).astype(np.uint16)
    return Panel("Patient 1", tissue_greys(), cells, domains)


@pytest.fixture
def figure(panel: Panel) -> Figure:
    greys = pd.DataFrame({"relative_grey": np.linspace(0.1, 1.4, 50), "area_mm2": 20.0})
    return draw_partition([panel], DOMAINS, greys, "T1")


def test_a_row_shows_the_slice_its_cells_and_its_domains(figure: Figure, panel: Panel):
    axes = figure.subfigs[0].axes
    assert [axis.get_title(loc="left") for axis in axes] == ["T1", "Cells", "Domains"]
    assert axes[0].get_ylabel() == "Patient 1"
    slice_, cells, overlay = (np.asarray(axis.images[0].get_array()) / 255 for axis in axes)
    grey = np.repeat(panel.grey[..., None], 3, axis=2)
    np.testing.assert_allclose(slice_, grey, atol=0.5 / 255 + 1e-6)
    for domain in DOMAINS:
        inside = panel.domains == domain.id
        colour = np.array(to_rgb(domain_colours([domain.name for domain in DOMAINS])[domain.name]))
        np.testing.assert_allclose(
            overlay[inside], (1 - OVERLAY) * grey[inside] + OVERLAY * colour, atol=0.5 / 255 + 1e-6
        )
    np.testing.assert_allclose(overlay[panel.domains == 0], 0)
    yellow = np.isclose(cells, to_rgb(YELLOW), atol=1e-6).all(axis=-1)
    # Three pixels for each of the slice's; a border between two cells marks the outer pixels of both.
    crossed = yellow[3 * 50 + 1].reshape(-1, 3)
    assert np.flatnonzero(crossed[24:40].any(axis=1)).tolist() == [0, 7, 8, 15]
    np.testing.assert_allclose(cells[~yellow], np.kron(grey, np.ones((3, 3, 1)))[~yellow], atol=0.5 / 255 + 1e-6)


def test_the_tumour_is_outlined_among_the_cells_alone(figure: Figure):
    axes = figure.subfigs[0].axes
    assert [len(axis.collections) for axis in axes] == [0, 1, 0]
    outline = axes[1].collections[0].get_paths()[0].vertices
    np.testing.assert_allclose((outline.min(axis=0) + outline.max(axis=0)) / 2, [20, 18])  # as tumour_labels puts it


def test_the_histogram_shows_all_area_on_its_side_of_the_threshold(figure: Figure):
    histogram = figure.subfigs[1].axes[0]
    assert [text.get_text() for text in histogram.texts] == ["0.70"]
    assert [list(line.get_xdata()) for line in histogram.lines] == [[0.7, 0.7]]
    colours = domain_colours([domain.name for domain in DOMAINS])
    bars = [
        (bar.get_x() + bar.get_width() / 2, bar.get_height(), to_hex(bar.get_facecolor())) for bar in histogram.patches
    ]
    assert sum(height for _, height, _ in bars) == pytest.approx(100)
    for centre, _, colour in bars:
        assert colour == to_hex(colours["healthy1" if centre < 0.7 else "healthy2"])
    words = [text.get_text() for text in histogram.get_legend().get_texts()]
    assert words == ["healthy1 (46 % of healthy area)", "healthy2 (54 % of healthy area)"]


def test_the_legend_names_the_domains(figure: Figure):
    legend = figure.subfigs[0].legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["oedema", "healthy1", "healthy2"]

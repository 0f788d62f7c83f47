"""The partition figure shows training patients only, without their names, and all domains."""

import numpy as np
import pandas as pd

from mosaicmr.figures.partition import Panel, choose_panels, draw_partition
from mosaicmr.figures.style import save_figure
from mosaicmr.partition.domains import Domain
from tests.support.small_slices import SIZE, brain_mask, tissue_greys, tumour_labels

DOMAINS = [
    Domain(1, "oedema", "tumour", tumour_class=2),
    Domain(2, "healthy1", "healthy", grey_low=0.0, grey_high=0.7),
    Domain(3, "healthy2", "healthy", grey_low=0.7),
]


def test_panels_are_the_largest_tumours_of_different_training_patients():
    slices = pd.DataFrame({"subject": ["a", "a", "b", "c", "d"], "patient": list("PPQRR"), "slice": list("vwxyz")})
    slices["tumour_area_mm2"] = [1.0, 9.0, 4.0, 5.0, 6.0]
    subjects = pd.DataFrame(
        {"subject": list("abcd"), "patient": list("PPQR"), "split": ["train", "train", "test", "train"]}
    )
    assert list(choose_panels(slices, subjects, 3)["slice"]) == ["w", "z"]


def test_the_figure_is_written_and_names_domains_and_thresholds(tmp_path):
    labels, brain = tumour_labels(), brain_mask()
    domains = np.where(labels > 0, 1, np.where(brain, 2 + (np.arange(SIZE) > 30), 0)).astype(np.uint8)
    cells = np.where(brain & (labels == 0), 1 + np.arange(SIZE) // 8, 0).astype(np.uint16)
    greys = pd.DataFrame({"relative_grey": np.linspace(0.1, 1.4, 50), "area_mm2": 20.0})
    figure = draw_partition([Panel("Patient 1", tissue_greys(), cells, domains)], DOMAINS, greys, "T1")
    save_figure(figure, tmp_path / "partition.pdf", tmp_path / "partition.png")
    assert (tmp_path / "partition.pdf").stat().st_size > 5000 < (tmp_path / "partition.png").stat().st_size
    histogram = figure.subfigs[1].axes[0]
    assert [text.get_text() for text in histogram.texts] == ["0.70"]
    assert [text.get_text() for text in figure.subfigs[0].legends[0].get_texts()] == ["oedema", "healthy1", "healthy2"]

"""Violins of radiomic features."""

import matplotlib.pyplot as plt
import numpy as np

from mosaicmr.figures.radiomics import choose_features, draw_radiomics
from mosaicmr.figures.style import save_figure
from tests.support.invented_results import VARIANTS, radiomic_features

DOMAINS = ["necrosis", "oedema", "healthy1"]


def test_a_row_a_feature_a_column_a_domain_a_violin_a_subset(tmp_path):
    figure = draw_radiomics(radiomic_features(), "FLAIR", DOMAINS)
    assert len(figure.axes) == 4 * len(DOMAINS)
    assert [axes.get_title() for axes in figure.axes[:3]] == DOMAINS
    assert all(len(axes.collections) == 1 + len(VARIANTS) for axes in figure.axes)
    save_figure(figure, tmp_path / "radiomics.pdf", tmp_path / "radiomics.png")
    assert plt.imread(tmp_path / "radiomics.png").std() > 0.05


def test_outliers_do_not_squeeze_the_violins():
    figure = draw_radiomics(radiomic_features(), "FLAIR", DOMAINS)
    contrast = figure.axes[3 * len(DOMAINS)]
    assert contrast.get_ylim()[1] < 100


def test_a_domain_that_one_variant_never_made_leaves_a_gap(tmp_path):
    features = radiomic_features()
    missing = (features["subset"] == "single") & (features["domain"] == "enhancing")
    save_figure(draw_radiomics(features[~missing], "FLAIR", DOMAINS), None, tmp_path / "gap.png")
    assert plt.imread(tmp_path / "gap.png").std() > 0.05


def test_a_value_that_never_changes_can_be_drawn(tmp_path):
    figure = draw_radiomics(radiomic_features().assign(value=1.0), "FLAIR", DOMAINS)
    assert np.diff(figure.axes[0].get_ylim()) > 0
    save_figure(figure, None, tmp_path / "constant.png")


def test_other_features_are_shown_where_the_usual_ones_were_not_measured():
    assert choose_features(["gldm_B", "gldm_A"]) == ["gldm_A", "gldm_B"]

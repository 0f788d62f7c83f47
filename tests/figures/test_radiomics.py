"""Violins of radiomic features."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from mosaicmr.figures.radiomics import choose_features, draw_radiomics
from mosaicmr.figures.style import subset_colours
from tests.support.invented_results import VARIANTS, radiomic_features

DOMAINS = ["necrosis", "oedema", "healthy1"]
SUBSETS = ["real", *VARIANTS]


def values_of(features: pd.DataFrame, feature: str, domain: str, subset: str) -> pd.Series:
    """The plotted values of one violin."""
    wanted = {"feature": feature, "domain": domain, "subset": subset}
    return features.loc[(features[list(wanted)] == pd.Series(wanted)).all(axis=1), "value"]


def violins(axes: Axes) -> dict[int, np.ndarray]:
    """The outline of each violin, float [n, 2], by its place along the axis."""
    outlines = [collection.get_paths()[0].vertices for collection in axes.collections]
    return {round(outline[:, 0].mean()): outline for outline in outlines}


def test_a_row_a_feature_a_column_a_domain_a_violin_a_subset():
    features = radiomic_features()
    figure = draw_radiomics(features, "FLAIR", DOMAINS)
    assert [axes.get_title() for axes in figure.axes[:3]] == DOMAINS
    rows = [axes.get_ylabel().replace("\n", "_") for axes in figure.axes[:: len(DOMAINS)]]
    assert rows == choose_features(features["feature"].unique())
    for axes, (feature, domain) in zip(figure.axes, ((row, name) for row in rows for name in DOMAINS), strict=True):
        drawn = violins(axes)
        assert sorted(drawn) == list(range(len(SUBSETS)))
        for place, subset in enumerate(SUBSETS):
            values = values_of(features, feature, domain, subset)
            ends = drawn[place][:, 1].min(), drawn[place][:, 1].max()
            assert ends == pytest.approx((values.min(), values.max()))
            quartiles = [line.get_ydata()[0] for line in axes.lines[3 * place : 3 * place + 3]]
            assert quartiles == pytest.approx(np.quantile(values, [0.25, 0.5, 0.75]))


def test_each_subset_has_its_colour_and_the_legend_names_it():
    figure = draw_radiomics(radiomic_features(), "FLAIR", DOMAINS[:1])
    legend = {text.get_text(): to_hex(patch.get_facecolor()) for patch, text in
              zip(figure.legends[0].get_patches(), figure.legends[0].get_texts(), strict=True)}  # fmt: skip
    expected = subset_colours(SUBSETS)
    assert legend == {name.replace("_", " "): to_hex(expected[name]) for name in SUBSETS}
    # Seaborn mutes the colours of its violins a little.
    drawn = np.array([collection.get_facecolor()[0, :3] for collection in figure.axes[0].collections])
    meant = np.array([patch.get_facecolor()[:3] for patch in figure.legends[0].get_patches()])
    assert np.abs(drawn[:, None] - meant).sum(axis=2).argmin(axis=1).tolist() == list(range(len(SUBSETS)))


def test_outliers_do_not_squeeze_the_violins():
    figure = draw_radiomics(radiomic_features(), "FLAIR", DOMAINS)
    contrast = figure.axes[3 * len(DOMAINS)]
    assert contrast.get_ylim()[1] < 100


def test_a_domain_that_one_variant_never_made_leaves_a_gap():
    features = radiomic_features()
    missing = (features["subset"] == "single") & (features["domain"] == "oedema")
    figure = draw_radiomics(features[~missing], "FLAIR", DOMAINS[:2])
    assert sorted(violins(figure.axes[0])) == [0, 1, 2, 3, 4]
    assert sorted(violins(figure.axes[1])) == [0, 1, 3, 4], "the place of `single` stays free"


def test_a_value_that_never_changes_is_a_line():
    figure = draw_radiomics(radiomic_features().assign(value=1.0), "FLAIR", DOMAINS[:1])
    axes = figure.axes[0]
    assert [line.get_ydata().tolist() for line in axes.lines] == [[1.0, 1.0]] * len(SUBSETS)
    low, high = axes.get_ylim()
    assert low < 1 < high
    figure.draw_without_rendering()


def test_other_features_are_shown_where_the_usual_ones_were_not_measured():
    assert choose_features(["gldm_B", "gldm_A"]) == ["gldm_A", "gldm_B"]

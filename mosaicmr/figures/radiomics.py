"""Distributions of radiomic features, real beside synthetic, domain by domain."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mosaicmr.figures.style import house_style, new_figure, subset_colours

# A feature for brightness, for spread and for the histogram's disorder, and two for texture.
SHOWN = (
    "firstorder_Mean",
    "firstorder_InterquartileRange",
    "firstorder_Entropy",
    "glcm_Contrast",
    "glrlm_RunEntropy",
)
TRIM = 1.0  # percent of the values on each side that the axes may leave out


def choose_features(present: Sequence[str]) -> list[str]:
    """The measured features of `SHOWN`, or else the first five measured features."""
    return [name for name in SHOWN if name in present] or sorted(present)[: len(SHOWN)]


def draw_radiomics(features: pd.DataFrame, modality: str, domains: Sequence[str]) -> Figure:
    """Small multiples of violins: a row a feature, a column a domain, a violin for the real slices and each variant.

    features: subset (`real` first, then variants), domain, modality, feature, value. Each violin has the same width;
    lines mark quartiles. One modality is shown.
    """
    shown = features[features["modality"] == modality]
    names = choose_features(shown["feature"].unique())
    subsets = list(dict.fromkeys(features["subset"]))
    colours = subset_colours(subsets)
    domains = [name for name in domains if name in set(shown["domain"])]
    with house_style():
        figure = new_figure(1.0 + 1.5 * len(domains), 0.7 + 1.25 * len(names))
        panels = figure.subplots(len(names), len(domains), sharey="row", squeeze=False)
        for row, feature in zip(panels, names, strict=True):
            for axes, domain in zip(row, domains, strict=True):
                own = shown[(shown["feature"] == feature) & (shown["domain"] == domain)]
                _draw_violins(axes, own, subsets, colours)
            row[0].set_ylabel(feature.replace("_", "\n"))
            # Shared axes: the limits of a row count the values of all its domains.
            row[0].set_ylim(*_limits(shown.loc[shown["feature"] == feature, "value"]))
        for axes, domain in zip(panels[0], domains, strict=True):
            axes.set_title(domain, loc="center")
        handles = [Patch(color=colours[name], label=name.replace("_", " ")) for name in subsets]
        figure.suptitle(f"Radiomic features of {modality}", fontsize=10)
        figure.legend(handles=handles, loc="outside lower center", ncols=len(subsets))
    return figure


def _draw_violins(axes: Axes, own: pd.DataFrame, subsets: Sequence[str], colours: dict[str, str]) -> None:
    seaborn.violinplot(
        own,
        x="subset",
        y="value",
        hue="subset",
        order=subsets,
        hue_order=subsets,
        palette=colours,
        legend=False,
        cut=0,
        width=0.9,
        inner="quart",
        inner_kws={"color": "black", "linewidth": 0.5},
        linewidth=0.5,
        density_norm="width",
        ax=axes,
    )
    axes.set(xlabel="", ylabel="", xticks=[])


def _limits(values: pd.Series) -> tuple[float, float]:
    """Limits that hold all values but the outermost, with a margin; texture features have very long tails."""
    low, high = np.nanpercentile(values, [TRIM, 100 - TRIM])
    margin = 0.08 * (high - low) or 0.5
    return low - margin, high + margin

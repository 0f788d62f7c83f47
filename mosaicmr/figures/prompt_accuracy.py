"""How often each variant's tumours look as their prompts asked, by tumour class and modality."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mosaicmr.cohort.labels import TumourClass
from mosaicmr.evaluation.prompt_accuracy import metric_name
from mosaicmr.figures.style import GREY, house_style, new_figure, subset_colours
from mosaicmr.prompts.looks import BRIGHTNESS, TEXTURE

TITLES = {BRIGHTNESS: "As bright as asked (share of looks)", TEXTURE: "With the asked texture (share of looks)"}
HEIGHT = 0.085  # inches for each variant of a row
SPREAD = 0.7  # of the distance between two rows, for all variants together


def draw_prompt_accuracy(
    metrics: Mapping[str, pd.DataFrame], classes: Sequence[TumourClass], modalities: Sequence[str]
) -> Figure:
    """Two panels, brightness and texture: a row for all looks and for each class and modality, a point a variant.

    metrics: the rows of `accuracy_metrics` of each variant. Whiskers are 95 % intervals over patients, where there are
    any; the grey tick behind a point is its chance. A look that no prompt asked for has an empty row.
    """
    kinds = [(), *((tumour.name, modality) for tumour in classes for modality in modalities)]
    labels = ["all looks", *(f"{tumour.words}, {modality}" for tumour in classes for modality in modalities)]
    colours = subset_colours(list(metrics))
    with house_style():
        figure = new_figure(9, len(kinds) * max(HEIGHT * len(metrics), 0.2) + 1.1)
        for axes, attribute in zip(figure.subplots(1, 2, sharey=True), TITLES, strict=True):
            for index, (variant, table) in enumerate(metrics.items()):
                shift = SPREAD * ((index + 0.5) / len(metrics) - 0.5)
                _draw_variant(axes, table.set_index("metric"), attribute, kinds, (shift, colours[variant]))
            axes.set(xlim=(-0.02, 1.02), ylim=(len(kinds) - 0.5, -0.5), title=TITLES[attribute])
            axes.set_yticks(range(len(kinds)), labels)
            axes.tick_params(axis="y", length=0)
            for border in range(0, len(kinds) - 1, len(modalities)):
                axes.axhline(border + 0.5, color="0.8", linewidth=0.7)
        handles = [
            Line2D([], [], color=colour, marker="o", markersize=4, label=variant.replace("_", " "))
            for variant, colour in colours.items()
        ]
        chance = Line2D([], [], color=GREY, marker="|", markersize=7, linestyle="none", label="chance")
        figure.legend(handles=[*handles, chance], loc="outside lower center", ncols=len(handles) + 1)
    return figure


def _draw_variant(
    axes: Axes, table: pd.DataFrame, attribute: str, kinds: Sequence[tuple[str, ...]], look: tuple[float, str]
) -> None:
    shift, colour = look
    places = np.arange(len(kinds)) + shift
    chance = table["value"].reindex([metric_name(attribute, True, *kind) for kind in kinds])
    axes.plot(chance, places, "|", color=GREY, markersize=7, zorder=1)
    rows = table.reindex([metric_name(attribute, False, *kind) for kind in kinds])
    reach = np.abs(rows[["low", "high"]].sub(rows["value"], axis=0).to_numpy(float).T)
    axes.errorbar(rows["value"], places, xerr=reach, fmt="o", color=colour, markersize=3.5, elinewidth=1, zorder=2)

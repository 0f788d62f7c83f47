"""Scores of each arm's segmenter on held-out patients: bars with intervals, and every patient as a point."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mosaicmr.figures.style import ARM_COLOURS, BLACK, house_style, new_figure

TITLES = {"dsc": "Dice coefficient (higher is better)", "hd95": "HD95, mm (lower is better)"}
WIDTH = 0.8  # of the distance between two classes, for all its bars together


def draw_segmentation(metrics: pd.DataFrame, patients: pd.DataFrame) -> Figure:
    """Two panels, DSC and HD95: groups of bars for the mean and each class, a bar an arm.

    metrics: arm and the tidy metric columns, with metrics `dsc_<class>`, `hd95_<class>` and their `mean`; patients:
    arm, patient, class (`mean` too), dsc, hd95, one row a patient and class. Bars are means over patients with 95 %
    intervals where there are enough patients.
    """
    arms = list(dict.fromkeys(metrics["arm"]))
    classes = ["mean", *(name for name in dict.fromkeys(patients["class"]) if name != "mean")]
    with house_style():
        figure = new_figure(9, 3.4)
        for axes, measure in zip(figure.subplots(1, 2), TITLES, strict=True):
            for index, arm in enumerate(arms):
                _draw_arm(axes, arm, metrics, patients, classes, (measure, index, len(arms)))
            axes.set_title(TITLES[measure])
            axes.set_xticks(range(len(classes)), classes)
            axes.tick_params(axis="x", length=0)
            axes.axvline(0.5, color="0.8", linewidth=0.7)
        figure.axes[0].set_ylim(0, 1.02)
        figure.axes[1].set_ylim(bottom=0)
        handles = [Patch(color=ARM_COLOURS[arm], label=arm) for arm in arms]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(arms))
    return figure


def _draw_arm(
    axes: Axes,
    arm: str,
    metrics: pd.DataFrame,
    patients: pd.DataFrame,
    classes: Sequence[str],
    place: tuple[str, int, int],
) -> None:
    measure, index, count = place
    rows = metrics[metrics["arm"] == arm].set_index("metric").loc[[f"{measure}_{name}" for name in classes]]
    width = WIDTH / count
    positions = np.arange(len(classes)) + (index - (count - 1) / 2) * width
    axes.bar(positions, rows["value"], 0.92 * width, color=ARM_COLOURS[arm], alpha=0.75, zorder=1)
    reach = np.abs(rows[["low", "high"]].sub(rows["value"], axis=0).to_numpy().T)
    axes.errorbar(positions, rows["value"], reach, fmt="none", ecolor=BLACK, elinewidth=1, capsize=2, zorder=3)
    own = patients[patients["arm"] == arm]
    for position, name in zip(positions, classes, strict=True):
        values = own.loc[own["class"] == name, measure].to_numpy()
        # Side by side in the order of the patients, so that a patient can be followed from class to class.
        offsets = (np.arange(len(values)) + 0.5) / max(len(values), 1) - 0.5
        axes.scatter(position + 0.7 * width * offsets, values, s=5, color=BLACK, alpha=0.5, linewidths=0, zorder=2)

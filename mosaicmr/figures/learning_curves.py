"""Training curves of the experts, to see whether each has converged and whether any differs from the rest."""

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter

from mosaicmr.figures.style import domain_colours, house_style, new_figure

COLUMNS = 4
WINDOW = 0.1  # of the steps


def smooth(loss: pd.Series, window: float = WINDOW) -> pd.Series:
    """Centred running median over a share of the steps: the loss of a batch depends most on the timesteps it drew."""
    width = max(1, round(window * len(loss)))
    return loss.rolling(width, center=True, min_periods=1).median()


def draw_training(curves: pd.DataFrame) -> Figure:
    """Draw a panel for each expert, all on the same pair of axes: every step's loss faint, its running median strong.

    curves: expert, step, loss, in the order in which experts are shown. The other experts' medians are drawn in grey
    behind each, for comparison.
    """
    experts = list(dict.fromkeys(curves["expert"]))
    colours = domain_colours(experts)
    medians = {name: _median(curves, name) for name in experts}
    rows = math.ceil(len(experts) / COLUMNS)
    with house_style():
        figure = new_figure(9, 1.9 * rows + 0.3)
        panels = figure.subplots(rows, min(COLUMNS, len(experts)), sharex=True, sharey=True, squeeze=False)
        for axes, name in zip(panels.flat, experts, strict=False):
            for other in experts:
                axes.plot(*medians[other], color="0.85", linewidth=0.8, zorder=1)
            own = curves[curves["expert"] == name]
            axes.plot(own["step"], own["loss"], color=colours[name], alpha=0.25, linewidth=0.5, zorder=2)
            axes.plot(*medians[name], color=colours[name], linewidth=1.8, zorder=3)
            axes.set_title(name)
        for axes in panels.flat[len(experts) :]:
            axes.set_visible(False)
        _label(panels, len(experts), curves["loss"])
    return figure


def _median(curves: pd.DataFrame, name: str) -> tuple[pd.Series, pd.Series]:
    own = curves[curves["expert"] == name].sort_values("step")
    return own["step"], smooth(own["loss"])


def _label(panels: np.ndarray, used: int, loss: pd.Series) -> None:
    width = panels.shape[1]
    for index, axes in enumerate(panels.flat[:used]):
        if index % width == 0:
            axes.set_ylabel("training loss")
        if index + width >= used:  # nothing stands below it
            axes.set_xlabel("step")
            axes.tick_params(labelbottom=True)
    first = panels.flat[0]
    first.set_yscale("log")
    # A few spikes would squeeze all curves into a line.
    low, high = np.nanpercentile(loss, [0.5, 99.5])
    first.set_ylim(low / 1.1, high * 1.1)
    first.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    # A loss often spans less than a power of ten, so 2 and 5 are labelled too, as plain numbers.
    first.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    first.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    first.yaxis.set_minor_formatter(NullFormatter())

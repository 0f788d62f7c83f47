"""Training curves: a panel an expert."""

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from mosaicmr.figures.learning_curves import draw_training, smooth
from mosaicmr.figures.style import domain_colours
from tests.support.invented_results import DOMAINS, training_curves

EXPERTS = [*DOMAINS, "whole"]


def panels(figure: Figure) -> dict[str, Axes]:
    """The visible panels by their titles."""
    return {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_visible()}


@pytest.mark.parametrize("steps", [1, 4, 100])
def test_every_expert_has_a_panel_with_its_losses_and_their_median(steps):
    curves = training_curves(steps)
    figure = draw_training(curves)
    assert list(panels(figure)) == EXPERTS
    colours = domain_colours(EXPERTS)
    for expert, axes in panels(figure).items():
        loss = curves.loc[curves["expert"] == expert, "loss"]
        faint, strong = (line for line in axes.lines if to_hex(line.get_color()) == to_hex(colours[expert]))
        assert faint.get_xdata().tolist() == strong.get_xdata().tolist() == list(range(1, steps + 1))
        assert faint.get_ydata().tolist() == loss.tolist()
        assert strong.get_ydata().tolist() == smooth(loss).tolist()
        assert faint.get_linewidth() < strong.get_linewidth()


def test_behind_each_curve_stand_the_medians_of_all():
    curves = training_curves()
    behind = [line.get_ydata().tolist() for line in panels(draw_training(curves))["oedema"].lines[: len(EXPERTS)]]
    assert behind == [smooth(curves.loc[curves["expert"] == expert, "loss"]).tolist() for expert in EXPERTS]


def test_a_spike_does_not_move_the_median():
    loss = pd.Series([1.0] * 50)
    loss[25] = 100.0
    assert smooth(loss).max() == 1.0


@pytest.mark.parametrize("steps", [1, 4])
def test_a_very_short_training_can_be_drawn(steps):
    curves = training_curves(steps)
    figure = draw_training(curves)
    figure.draw_without_rendering()
    own = panels(figure)["oedema"].lines[len(EXPERTS)]
    assert own.get_ydata().tolist() == smooth(curves.loc[curves["expert"] == "oedema", "loss"]).tolist()

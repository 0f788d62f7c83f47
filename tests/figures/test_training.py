"""Training curves: a panel an expert."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from mosaicmr.figures.style import save_figure
from mosaicmr.figures.training import draw_training, smooth
from tests.support.invented_results import DOMAINS, training_curves


def test_every_expert_has_a_panel(tmp_path):
    figure = draw_training(training_curves())
    shown = [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()]
    assert shown == [*DOMAINS, "whole"]
    save_figure(figure, tmp_path / "training.pdf", tmp_path / "training.png")
    assert plt.imread(tmp_path / "training.png").std() > 0.05


def test_a_spike_does_not_move_the_median():
    loss = pd.Series([1.0] * 50)
    loss[25] = 100.0
    assert smooth(loss).max() == 1.0


@pytest.mark.parametrize("steps", [1, 4])
def test_a_very_short_training_can_be_drawn(steps, tmp_path):
    save_figure(draw_training(training_curves(steps)), None, tmp_path / "short.png")
    assert plt.imread(tmp_path / "short.png").std() > 0.02

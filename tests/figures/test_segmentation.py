"""Bars of the arms' scores."""

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure

from mosaicmr.figures.segmentation import draw_segmentation
from mosaicmr.figures.style import ARM_COLOURS
from mosaicmr.segmentation.scores import patient_means
from tests.support.invented_results import ARMS, patient_scores, segmentation_metrics

MEASURES = ["dsc", "hd95"]
GROUPS = ["mean", "necrosis", "oedema", "enhancing"]


def draw(patients: int) -> tuple[Figure, pd.DataFrame, pd.DataFrame]:
    """The figure, the metrics by arm and name, and the patients' means by arm and class."""
    scores = patient_scores(patients)
    metrics = pd.concat([table.assign(arm=arm) for arm, table in segmentation_metrics(scores).items()])
    means = pd.concat([patient_means(table).assign(arm=arm) for arm, table in scores.items()])
    figure = draw_segmentation(metrics, means)
    return figure, metrics.set_index(["arm", "metric"]), means.set_index(["arm", "class"])


def bars(axes: Axes) -> list[BarContainer]:
    """The bars of each arm."""
    return [container for container in axes.containers if isinstance(container, BarContainer)]


def whiskers(axes: Axes) -> list[list[list[float]]]:
    """Both ends of each arm's intervals; an empty list where there is no interval."""
    containers = [container for container in axes.containers if isinstance(container, ErrorbarContainer)]
    return [
        [segment[:, 1].tolist() if len(segment) else [] for segment in container.lines[2][0].get_segments()]
        for container in containers
    ]


@pytest.mark.parametrize("measure", MEASURES)
def test_a_bar_for_every_arm_and_class_as_high_as_its_value(measure):
    figure, metrics, _ = draw(patients=4)
    axes = figure.axes[MEASURES.index(measure)]
    assert [label.get_text() for label in axes.get_xticklabels()] == GROUPS
    for arm, own in zip(ARMS, bars(axes), strict=True):
        rows = metrics.loc[[(arm, f"{measure}_{name}") for name in GROUPS]]
        assert [bar.get_height() for bar in own] == pytest.approx(rows["value"].tolist())
        assert [round(bar.get_x() + bar.get_width() / 2) for bar in own] == [0, 1, 2, 3]
        assert {to_hex(bar.get_facecolor()) for bar in own} == {to_hex(ARM_COLOURS[arm])}
    legend = figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ARMS


@pytest.mark.parametrize("measure", MEASURES)
def test_whiskers_are_the_intervals_over_patients(measure):
    figure, metrics, _ = draw(patients=4)
    for arm, own in zip(ARMS, whiskers(figure.axes[MEASURES.index(measure)]), strict=True):
        for name, ends in zip(GROUPS, own, strict=True):
            row = metrics.loc[(arm, f"{measure}_{name}")]
            assert ends == pytest.approx([row["low"], row["high"]])


def test_every_patient_is_a_point():
    figure, _, means = draw(patients=4)
    clouds = [cloud for cloud in figure.axes[0].collections if isinstance(cloud, PathCollection)]
    places = [(arm, name) for arm in ARMS for name in GROUPS]
    for cloud, place in zip(clouds, places, strict=True):
        across, up = cloud.get_offsets().T
        assert up.tolist() == pytest.approx(means.loc[[place], "dsc"].tolist())
        assert (across.round() == GROUPS.index(place[1])).all()


def test_one_patient_gives_bars_and_points_without_intervals():
    figure, metrics, _ = draw(patients=1)
    for axes, measure in zip(figure.axes, MEASURES, strict=True):
        heights = [bar.get_height() for own in bars(axes) for bar in own]
        assert heights == pytest.approx([metrics.loc[(arm, f"{measure}_{name}"), "value"]
                                         for arm in ARMS for name in GROUPS])  # fmt: skip
        assert whiskers(axes) == [[[]] * len(GROUPS)] * len(ARMS)
    figure.draw_without_rendering()

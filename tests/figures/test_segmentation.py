"""Bars of the arms' scores."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from mosaicmr.figures.segmentation import draw_segmentation
from mosaicmr.figures.style import save_figure
from mosaicmr.segmentation.scores import patient_means
from tests.support.invented_results import ARMS, patient_scores, segmentation_metrics


def draw(patients: int):
    scores = patient_scores(patients)
    metrics = pd.concat([table.assign(arm=arm) for arm, table in segmentation_metrics(scores).items()])
    means = pd.concat([patient_means(table).assign(arm=arm) for arm, table in scores.items()])
    return draw_segmentation(metrics, means), metrics


def test_a_bar_for_every_arm_and_class_as_high_as_its_value():
    figure, metrics = draw(patients=4)
    for axes, measure in zip(figure.axes, ("dsc", "hd95"), strict=True):
        heights = sorted(bar.get_height() for bar in axes.patches)
        values = metrics.loc[metrics["metric"].str.startswith(measure), "value"]
        assert heights == pytest.approx(sorted(values))
        assert [label.get_text() for label in axes.get_xticklabels()] == ["mean", "necrosis", "oedema", "enhancing"]


def test_every_patient_is_a_point():
    figure, _ = draw(patients=4)
    clouds = [cloud for cloud in figure.axes[0].collections if isinstance(cloud, PathCollection)]
    points = [len(cloud.get_offsets()) for cloud in clouds]
    assert points == [4] * len(ARMS) * 4


@pytest.mark.parametrize("patients", [1, 4])
def test_it_is_written_as_pdf_and_png_even_for_one_patient(patients, tmp_path):
    save_figure(draw(patients)[0], tmp_path / "a.pdf", tmp_path / "a.png")
    assert (tmp_path / "a.pdf").stat().st_size > 1000
    assert plt.imread(tmp_path / "a.png").std() > 0.05

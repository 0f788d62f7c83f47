"""The figure of prompt accuracy by class and modality."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.lines import Line2D

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.evaluation.prompt_accuracy import accuracy_metrics
from mosaicmr.figures.prompt_accuracy import draw_prompt_accuracy
from tests.support.invented_results import VARIANTS

MODALITIES = ["FLAIR", "T2"]
CLASSES = LabelScheme.named("brats2021").classes


def metrics_of(accuracy: float, patients: int, seed: int) -> pd.DataFrame:
    """The metrics of sixty slices with oedema and necrosis, of whose words a share is followed."""
    generator = np.random.default_rng(seed)
    parts = []
    for tumour in ("oedema", "necrosis"):
        for modality in MODALITIES:
            asked = np.arange(60) % 3
            drawn = np.where(generator.random(60) < accuracy, asked, (asked + 1) % 3)
            words = {"asked_brightness": asked, "measured_brightness": drawn}
            words |= {"asked_texture": asked % 2, "measured_texture": drawn % 2}
            names = {"patient": [f"p{row % patients}" for row in range(60)]}
            parts.append(pd.DataFrame(names | words).assign(tumour_class=tumour, modality=modality))
    return accuracy_metrics(pd.concat(parts, ignore_index=True), seed=1, resamples=20)


def draw(patients: int):
    shares = np.linspace(0.4, 1, len(VARIANTS))
    metrics = {
        name: metrics_of(share, patients, row) for row, (name, share) in enumerate(zip(VARIANTS, shares, strict=True))
    }
    return draw_prompt_accuracy(metrics, CLASSES, MODALITIES), metrics


def points(axes, grey: bool) -> list[np.ndarray]:
    """The values of each series of points: what was followed, or in grey its chance."""
    series = [line for line in axes.lines if isinstance(line, Line2D) and len(line.get_ydata()) == 7]
    marker = "|" if grey else "o"
    return [np.asarray(line.get_xdata(), float) for line in series if line.get_marker() == marker]


def test_each_variant_has_a_point_and_its_chance_for_every_class_and_modality():
    figure, metrics = draw(patients=4)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[:4] == ["all looks", "necrotic core, FLAIR", "necrotic core, T2", "oedema, FLAIR"]
    names = ["", "_necrosis_FLAIR", "_necrosis_T2", "_oedema_FLAIR", "_oedema_T2"]
    for axes, attribute in zip(figure.axes, ("brightness", "texture"), strict=True):
        for grey, chance in ((False, ""), (True, "_chance")):
            drawn = points(axes, grey)
            assert len(drawn) == len(VARIANTS)
            for values, variant in zip(drawn, VARIANTS, strict=True):
                table = metrics[variant].set_index("metric")["value"]
                expected = [table[f"prompt_{attribute}{chance}{name}"] for name in names]
                assert values[:5] == pytest.approx(expected)
                assert np.isnan(values[5:]).all(), "nothing was asked of enhancing tumour"


def whiskers(axes) -> list[list[float]]:
    """Both ends of the whisker of all looks together, of each variant; none where there is no interval."""
    lines = [container.lines[2][0].get_segments()[0] for container in axes.containers]
    return [segment[:, 0].tolist() if len(segment) else [] for segment in lines]


def test_whiskers_are_the_intervals_over_patients():
    figure, metrics = draw(patients=4)
    rows = [metrics[variant].set_index("metric").loc["prompt_brightness"] for variant in VARIANTS]
    assert whiskers(figure.axes[0]) == [pytest.approx([row["low"], row["high"]]) for row in rows]


def test_one_patient_gives_points_without_whiskers():
    figure, _ = draw(patients=1)
    assert whiskers(figure.axes[0]) == [[]] * len(VARIANTS)
    assert np.isfinite([values[0] for values in points(figure.axes[0], grey=False)]).all()
    figure.draw_without_rendering()


def test_the_legend_names_the_variants_and_chance():
    figure, _ = draw(patients=1)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        *(variant.replace("_", " ") for variant in VARIANTS),
        "chance",
    ]

"""DSC and HD95 on label maps whose scores are known."""

import math

import numpy as np
import pandas as pd
import pytest

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.segmentation.scores import dice, dice_gain, hausdorff95, patient_means, score_metrics, score_patient

CLASSES = LabelScheme.named("brats2021").classes


def a_square(row: int, column: int, size: int = 8) -> np.ndarray:
    mask = np.zeros((32, 48), bool)
    mask[row : row + size, column : column + size] = True
    return mask


def test_dice_of_half_overlapping_squares():
    assert dice(a_square(4, 4), a_square(4, 8)) == pytest.approx(0.5)


@pytest.mark.parametrize("pixel_size", [1.0, 1.5])
def test_hd95_of_a_shift_is_its_length_in_mm(pixel_size):
    assert hausdorff95(a_square(4, 4), a_square(4, 10), pixel_size) == pytest.approx(6 * pixel_size)


def test_hd95_ignores_a_few_stray_pixels():
    found = a_square(8, 8, size=16)
    found[8, 24:26] = True
    assert hausdorff95(found, a_square(8, 8, size=16), 1.0) <= 1.0


def test_a_class_that_is_neither_there_nor_found_scores_perfectly():
    empty = np.zeros((32, 48), bool)
    assert dice(empty, empty) == 1.0
    assert hausdorff95(empty, empty, 1.5) == 0.0


@pytest.mark.parametrize("swapped", [False, True])
def test_a_class_missed_or_invented_scores_worst(swapped):
    pair = (np.zeros((32, 48), bool), a_square(4, 4))
    pair = pair[::-1] if swapped else pair
    assert dice(*pair) == 0.0
    assert hausdorff95(*pair, 1.5) == pytest.approx(1.5 * math.hypot(32, 48))


def test_a_patient_is_scored_over_all_slices_and_each_class():
    truth = np.zeros((2, 32, 48), np.uint8)
    truth[:, 4:12, 4:12] = 2
    found = truth.copy()
    found[1] = np.roll(truth[1], 4, axis=1)
    scores = score_patient(found, truth, CLASSES, pixel_size=2.0).set_index("class")
    assert list(scores.index) == ["necrosis", "oedema", "enhancing"]
    assert scores.loc["oedema", "dsc"] == pytest.approx(0.75)
    assert scores.loc["oedema", "hd95"] == pytest.approx((0 + 8.0) / 2)
    assert scores.loc["necrosis", "dsc"] == 1.0


def a_table(dsc: dict[str, list[float]]) -> pd.DataFrame:
    """Scores of two classes and two seeds; `dsc` has a value a seed for each patient."""
    rows = [
        {"patient": patient, "seed": seed, "class": name, "dsc": value, "hd95": 10 * value}
        for patient, values in dsc.items()
        for seed, value in enumerate(values)
        for name in ("oedema", "enhancing")
    ]
    return pd.DataFrame(rows)


def test_seeds_are_averaged_before_patients_are_counted():
    metrics = score_metrics(a_table({"a": [0.2, 0.4], "b": [0.5, 0.5], "c": [0.6, 0.8]}), 1, 200).set_index("metric")
    assert set(metrics.index) == {f"{m}_{c}" for m in ("dsc", "hd95") for c in ("oedema", "enhancing", "mean")}
    row = metrics.loc["dsc_mean"]
    assert row["n"] == 3
    assert row["value"] == pytest.approx((0.3 + 0.5 + 0.7) / 3)
    assert row["low"] < row["value"] < row["high"]
    assert row["low"] >= 0.3


def test_the_mean_over_classes_is_a_class_of_its_own():
    means = patient_means(a_table({"a": [0.2, 0.4]})).set_index("class")
    assert means.loc["mean", "dsc"] == pytest.approx(0.3)


def test_one_test_patient_has_a_value_and_no_interval():
    row = score_metrics(a_table({"a": [0.2, 0.4]}), 1, 50).set_index("metric").loc["dsc_mean"]
    assert row["value"] == pytest.approx(0.3)
    assert np.isnan(row["low"])
    assert np.isnan(row["high"])
    assert row["n"] == 1


def test_gain_is_in_percent_of_the_baseline_and_paired():
    baseline = a_table({"a": [0.4], "b": [0.5], "c": [0.6]})
    better = a_table({"a": [0.44], "b": [0.55], "c": [0.66]})
    row = dice_gain(baseline, better, 1, 200)
    assert row["value"] == pytest.approx(10.0)
    assert row["low"] == pytest.approx(10.0)
    assert row["high"] == pytest.approx(10.0)


def test_gain_over_a_segmenter_that_finds_nothing_has_no_value():
    row = dice_gain(a_table({"a": [0.0]}), a_table({"a": [0.5]}), 1, 50)
    assert math.isnan(row["value"])
    assert row["why"]

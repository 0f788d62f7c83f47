"""Intervals are over patients, and every metric row explains itself."""

import math

import numpy as np
import pytest

from mosaicmr.evaluation.intervals import METRIC_COLUMNS, jackknife_interval, metric_row, metric_table, patient_interval


def difference_of_means(left, right):
    return lambda keep, keep_other: float(np.mean(left[keep]) - np.mean(right[keep_other]))


def test_a_row_has_either_a_value_or_a_reason():
    row = metric_row("fid", None, None, None, 0, "No file.")
    assert math.isnan(row["value"])
    assert row["why"] == "No file."
    assert metric_row("fid", 1.0, 0.5, 1.5, 3)["why"] == ""
    with pytest.raises(ValueError, match="no reason"):
        metric_row("fid", float("nan"), None, None, 0)
    with pytest.raises(ValueError, match="has a value"):
        metric_row("fid", 1.0, None, None, 3, "No file.")
    assert list(metric_table([row]).columns) == METRIC_COLUMNS


def test_slices_of_one_patient_do_not_narrow_the_interval():
    generator = np.random.default_rng(0)
    level = generator.normal(size=8)
    few = patient_interval(level, np.arange(8), seed=1)
    many = patient_interval(np.repeat(level, 50), np.repeat(np.arange(8), 50), seed=1)
    assert few == pytest.approx(many)
    assert few[1] < few[0] < few[2]


def test_the_bootstrap_interval_of_a_mean_has_about_its_textbook_width():
    values = np.random.default_rng(0).normal(size=200)
    _, low, high, count = patient_interval(values, np.arange(200), seed=1, resamples=2000)
    assert count == 200
    assert high - low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(200), rel=0.1)


def test_two_patients_give_a_value_without_an_interval():
    value, low, high, count = patient_interval([1.0, 2.0, np.nan], ["a", "b", "c"], seed=1)
    assert (value, count) == (1.5, 2)
    assert math.isnan(low)
    assert math.isnan(high)


def test_the_jackknife_of_a_difference_of_means_is_the_standard_error():
    generator = np.random.default_rng(0)
    left, right = generator.normal(size=20), generator.normal(size=25)
    statistic = difference_of_means(left, right)
    value, low, high, count = jackknife_interval(statistic, np.arange(20), 100 + np.arange(25), seed=1)
    error = math.sqrt(left.var(ddof=1) / 20 + right.var(ddof=1) / 25)
    assert count == 45
    assert value == pytest.approx(left.mean() - right.mean())
    assert high - low == pytest.approx(2 * 2.017 * error, rel=1e-3)  # t with 19 + 24 degrees of freedom


def test_a_patient_on_both_sides_is_deleted_from_both():
    left = np.random.default_rng(0).normal(size=12)
    value, low, high, count = jackknife_interval(difference_of_means(left, left), range(12), range(12), seed=1)
    assert (value, low, high, count) == (0.0, 0.0, 0.0, 12)


def test_no_interval_where_a_side_has_one_patient_or_a_replicate_fails():
    values = np.arange(6.0)
    for patients in (np.zeros(6, int) + 9, np.arange(6) // 5 + 10):
        value, low, high, _ = jackknife_interval(difference_of_means(values, values), range(6), patients, seed=1)
        assert value == 0.0
        assert math.isnan(low)
        assert math.isnan(high)

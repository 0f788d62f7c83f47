"""The contract of summary.json."""

import json

import numpy as np
import pandas as pd
import pytest

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.evaluation.intervals import metric_row, metric_table
from mosaicmr.evaluation.summary import SUBSET_METRICS, count_patients, count_slices, summarize, to_metric

CLASSES = LabelScheme.named("brats2021").classes
ARMS = ("real", "real+classical", "real+synthetic", "synthetic")


def a_summary() -> dict:
    """A run of two variants in which FID was not computed and only mask_dice lacks an interval."""
    rows = [metric_row(name, 0.5, 0.4, 0.6, 5) for name in SUBSET_METRICS if name not in ("fid", "mask_dice")]
    rows.append(metric_row("fid", None, None, None, 0, "No Inception file was given."))
    tables = [metric_table(rows), metric_table([metric_row("mask_dice", 0.7, None, None, 1)])]
    names = [*(tumour_class.name for tumour_class in CLASSES), "mean"]
    arm = metric_table([metric_row(f"{m}_{name}", 0.6, 0.5, 0.7, 4) for m in ("dsc", "hd95") for name in names])
    counts = {"patients": {"train": 3, "val": 1, "test": 1}, "slices": {"train": 9, "val": 3, "test": 3}}
    subsets = dict.fromkeys(("floor", "independent", "single"), tables)
    return summarize("demo", counts, subsets, dict.fromkeys(ARMS, arm), CLASSES)


def every_metric(node):
    """All metrics of a summary, at any depth."""
    if "value" in node:
        yield node
    else:
        for child in node.values():
            if isinstance(child, dict):
                yield from every_metric(child)


def test_the_summary_has_the_agreed_parts():
    summary = a_summary()
    assert list(summary) == ["run", "patients", "slices", "variants", "floor", "utility", "published"]
    assert set(summary["variants"]) == {"independent", "single"}
    assert tuple(summary["utility"]) == ARMS
    for metrics in (summary["floor"], *summary["variants"].values()):
        assert tuple(metrics) == SUBSET_METRICS
    for scores in summary["utility"].values():
        assert list(scores) == ["dsc", "hd95"]
        assert all(list(part) == ["necrosis", "oedema", "enhancing", "mean"] for part in scores.values())


def test_published_figures_are_those_of_the_abstract():
    published = {"fid": 13.65, "ssim": 0.9674, "dsc_gain_percent": 14, "reader_sensitivity": 0.255}
    assert a_summary()["published"] == published


def test_every_metric_has_four_numbers_and_a_why_exactly_where_one_is_null():
    for metric in every_metric(a_summary()):
        assert list(metric)[:4] == ["value", "low", "high", "n"]
        missing = any(metric[name] is None for name in ("value", "low", "high"))
        assert ("why" in metric) == missing
        assert not missing or metric["why"]


def test_a_metric_that_was_not_computed_is_null_with_its_reason():
    fid = a_summary()["floor"]["fid"]
    assert fid == {"value": None, "low": None, "high": None, "n": 0, "why": "No Inception file was given."}


def test_one_patient_has_a_value_without_interval_and_says_so():
    mask = a_summary()["floor"]["mask_dice"]
    assert (mask["value"], mask["low"], mask["high"], mask["n"]) == (0.7, None, None, 1)
    assert mask["why"] == "An interval needs at least 3 patients; this value is from 1."


def test_a_metric_that_no_stage_reports_is_null():
    metric = to_metric(None)
    assert metric["value"] is None
    assert metric["why"]


@pytest.mark.parametrize("name", SUBSET_METRICS)
def test_every_metric_of_the_contract_is_there_even_if_no_stage_reports_it(name):
    arm = metric_table([])
    summary = summarize("demo", {}, {"floor": [], "single": []}, {"real": arm}, CLASSES)
    assert summary["floor"][name]["value"] is None
    assert summary["utility"]["real"]["dsc"]["mean"]["why"]


def test_it_is_strict_json():
    assert json.loads(json.dumps(a_summary(), allow_nan=False)) == a_summary()


def test_patients_and_slices_are_counted_by_split():
    subjects = pd.DataFrame(
        {
            "subject": ["a-1", "a-2", "b-1", "c-1"],
            "patient": ["a", "a", "b", "c"],
            "split": ["train", "train", "val", "test"],
        }
    )
    slices = pd.DataFrame({"subject": np.repeat(["a-1", "a-2", "c-1"], [3, 2, 4])})
    assert count_patients(subjects) == {"train": 1, "val": 1, "test": 1}
    assert count_slices(slices, subjects, 16) == {"train": 5, "val": 0, "test": 4, "synthetic": 16}

"""Summary of every metric of a run, as a small JSON document with a fixed shape.

    {"run": name, "scans": {"accepted": n, "doubtful": n, "refused": n, "incomplete": n},
     "patients": {"train": n, "val": n, "test": n},
     "slices": {"train": n, "val": n, "test": n, "synthetic": n},
     "variants": {variant: M}, "floor": M, "utility": {arm: U}, "published": {...}}

M has every name of `SUBSET_METRICS`; U is {"dsc": {class: metric, ..., "mean": metric}, "hd95": {the same}}; a metric
is {"value", "low", "high", "n"}, with null where a number was not computed and then a "why".
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from mosaicmr.cohort.labels import TumourClass
from mosaicmr.cohort.selection import SPLITS, splits_of
from mosaicmr.evaluation.intervals import MEAN, MINIMUM_PATIENTS
from mosaicmr.scans.findings import INCOMPLETE, VERDICTS

SUBSET_METRICS = (
    "fid",
    "frechet_efficientnet_train",
    "frechet_efficientnet_test",
    "kid_test",
    "ssim_brain",
    "ssim_slice",
    "radiomics_auc",
    "frechet_radiomics",
    "copy_rate",
    "mask_dice",
    "prompt_brightness",
    "prompt_brightness_chance",
    "prompt_texture",
    "prompt_texture_chance",
    "seam_index",
)
# Wen et al. 2026 (doi 10.1088/1361-6560/ae7797), from the abstract: their data, their protocol, not ours.
PUBLISHED = {"fid": 13.65, "ssim": 0.9674, "dsc_gain_percent": 14, "reader_sensitivity": 0.255}

Metric = dict[str, Any]


def to_metric(row: Mapping[str, Any] | None) -> Metric:
    """A tidy metric row as {"value", "low", "high", "n"}, with a "why" where any of the numbers is null.

    `row` None means that no stage reported the metric.
    """
    if row is None:
        return {"value": None, "low": None, "high": None, "n": 0, "why": "No stage of this run computes it."}
    metric = {name: _number(row[name]) for name in ("value", "low", "high")} | {"n": int(row["n"])}
    if metric["value"] is None:
        metric["why"] = row["why"]
    elif metric["low"] is None or metric["high"] is None:
        metric["why"] = row["why"] or _no_interval(metric["n"])
    return metric


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _no_interval(patients: int) -> str:
    if patients < MINIMUM_PATIENTS:
        return f"An interval needs at least {MINIMUM_PATIENTS} patients; this value is from {patients}."
    return "The value has no interval over patients."


def subset_summary(tables: Iterable[pd.DataFrame]) -> dict[str, Metric]:
    """M of a variant or of the floor: every metric of `SUBSET_METRICS` from the tidy tables of its stages."""
    rows = _rows_by_metric(tables)
    return {name: to_metric(rows.get(name)) for name in SUBSET_METRICS}


def utility_summary(table: pd.DataFrame, classes: Sequence[TumourClass]) -> dict[str, dict[str, Metric]]:
    """U of an arm: DSC and HD95 (mm) for each class and their mean, from the arm's tidy table."""
    rows = _rows_by_metric([table])
    names = [*(tumour_class.name for tumour_class in classes), MEAN]
    return {measure: {name: to_metric(rows.get(f"{measure}_{name}")) for name in names} for measure in ("dsc", "hd95")}


def _rows_by_metric(tables: Iterable[pd.DataFrame]) -> dict[str, dict[str, Any]]:
    return {row["metric"]: row for table in tables for row in table.to_dict("records")}


def count_patients(subjects: pd.DataFrame) -> dict[str, int]:
    """Patients in each split; subjects: columns patient, split."""
    return {split: int(subjects.loc[subjects["split"] == split, "patient"].nunique()) for split in SPLITS}


def count_scans(verdicts: pd.DataFrame) -> dict[str, int]:
    """Scans by the verdict of the check, with those that lack a file; verdicts: column verdict."""
    counts = verdicts["verdict"].value_counts()
    return {verdict: int(counts.get(verdict, 0)) for verdict in (*VERDICTS, INCOMPLETE)}


def count_slices(slices: pd.DataFrame, subjects: pd.DataFrame, synthetic: int) -> dict[str, int]:
    """Real slices in each split and the synthetic slices of each variant; slices: column subject."""
    counts = splits_of(slices, subjects).value_counts()
    return {split: int(counts.get(split, 0)) for split in SPLITS} | {"synthetic": int(synthetic)}


def summarize(
    run: str,
    counts: Mapping[str, Mapping[str, int]],
    subsets: Mapping[str, Sequence[pd.DataFrame]],
    arms: Mapping[str, pd.DataFrame],
    classes: Sequence[TumourClass],
) -> dict[str, Any]:
    """Build the whole document.

    counts: "scans", "patients" and "slices", from the functions above; subsets: the tidy tables of "floor" and
    of each variant; arms: the tidy table of each arm.
    """
    metrics = {name: subset_summary(tables) for name, tables in subsets.items()}
    floor = metrics.pop("floor")
    utility = {arm: utility_summary(table, classes) for arm, table in arms.items()}
    return {"run": run, **counts, "variants": metrics, "floor": floor, "utility": utility, "published": dict(PUBLISHED)}

"""95 % intervals over patients, and the tidy row of every metric.

Slices of a patient resemble each other, so a slice is not an independent observation. Therefore whole patients are
resampled or left out here (for a synthetic slice: its source patient).

Means and proportions get a cluster bootstrap (Davison & Hinkley 1997, section 3.8). Fréchet distance and KID do not:
a bootstrap sample repeats patients, which lowers the rank of the covariance and plants identical pairs in the kernel
sums. Resampled distances then lie systematically above the estimate, and their percentiles may not even contain it.
These metrics get the delete-a-group jackknife (Kott 2001) instead, which never repeats a slice; it deletes one patient
at a time where there are few enough.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from mosaicmr.seeds import numpy_generator

CONFIDENCE = 0.95
MINIMUM_PATIENTS = 3  # with fewer, a spread over patients means nothing, and the interval is left out
JACKKNIFE_GROUPS = 30  # beyond this, deleting patients one by one costs time and hardly narrows the interval
MEAN = "mean"  # stands for a class in the name of a metric that averages over all classes
METRIC_COLUMNS = ["metric", "value", "low", "high", "n", "why"]


def metric_row(
    metric: str, value: float | None, low: float | None, high: float | None, n: int, why: str = ""
) -> dict[str, str | float | int]:
    """One tidy row: metric, value, low, high (float, NaN where absent), n (patients behind the value), why.

    `why` is one sentence exactly where there is no value; a value without an interval (fewer than `MINIMUM_PATIENTS`
    patients) has NaN for low and high and no why. Raises ValueError where that is not so.
    """
    value, low, high = (math.nan if number is None else float(number) for number in (value, low, high))
    if math.isnan(value) and not why:
        raise ValueError(f"metric {metric} has no value and no reason why")
    if not math.isnan(value) and why:
        raise ValueError(f"metric {metric} has a value, {value}, and a reason why it has none: {why}")
    if math.isnan(value):
        low = high = math.nan
    return {"metric": metric, "value": value, "low": low, "high": high, "n": int(n), "why": why}


def metric_table(rows: Sequence[dict]) -> pd.DataFrame:
    """Rows of `metric_row` as a table with the columns of `METRIC_COLUMNS` in that order."""
    return pd.DataFrame(list(rows), columns=METRIC_COLUMNS)


def patient_interval(
    values: pd.DataFrame | pd.Series | np.ndarray,
    patients: Sequence[str] | pd.Series | np.ndarray,
    statistic: Callable[[np.ndarray], float] = np.mean,
    *,
    seed: int,
    resamples: int = 1000,
) -> tuple[float, float, float, int]:
    """A statistic of per-slice values and its percentile interval by a cluster bootstrap over patients.

    `values` [n, ...] and `patients` [n] go together row by row; rows whose (1D) value is NaN are dropped first, and
    `statistic` maps the rows that are left, or a resample of them, to a number. Returns (value, low, high, number of
    patients); low and high are NaN for fewer than `MINIMUM_PATIENTS` patients, all three for no patient.
    """
    values, patients = np.asarray(values), np.asarray(patients)
    if values.ndim == 1:
        known = ~np.isnan(values.astype(float))
        values, patients = values[known], patients[known]
    names, owners = np.unique(patients, return_inverse=True)
    if not len(names):
        return math.nan, math.nan, math.nan, 0
    value = float(statistic(values))
    if len(names) < MINIMUM_PATIENTS:
        return value, math.nan, math.nan, len(names)
    generator = numpy_generator(seed, "bootstrap")
    rows = [np.flatnonzero(owners == index) for index in range(len(names))]
    draws = generator.integers(0, len(names), size=(resamples, len(names)))
    replicates = [float(statistic(values[np.concatenate([rows[index] for index in draw])])) for draw in draws]
    low, high = np.nanquantile(replicates, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return value, float(low), float(high), len(names)


def jackknife_interval(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    left: Sequence[str] | np.ndarray,
    right: Sequence[str] | np.ndarray,
    *,
    seed: int,
    minimum: float = -math.inf,
) -> tuple[float, float, float, int]:
    """A distance between two sets of slices and its jackknife interval over patients.

    `left` and `right` name the patient of every slice of the two sets; `statistic` takes two boolean arrays, the
    slices of each set that are kept, and returns the distance (NaN where it has none). Where the sets share patients, a
    patient is deleted from both at once; otherwise the sets are independent and their variances add. The interval is
    value ± t SE, cut at `minimum`. Returns (value, low, high, number of patients); low and high are NaN where a side
    has fewer than `MINIMUM_PATIENTS` patients to delete, which the number then is, or a replicate has no value.
    """
    left, right = np.asarray(left), np.asarray(right)
    value = float(statistic(np.ones(len(left), bool), np.ones(len(right), bool)))
    ours, theirs = np.unique(left), np.unique(right)
    everyone = np.union1d(ours, theirs)
    strata = [everyone] if np.intersect1d(ours, theirs).size else [ours, theirs]
    if math.isnan(value) or min(map(len, strata)) < MINIMUM_PATIENTS:
        return value, math.nan, math.nan, min(map(len, strata))
    variance, freedom = 0.0, 0
    for index, names in enumerate(strata):
        groups = _groups(names, seed, index)
        replicates = [statistic(~np.isin(left, group), ~np.isin(right, group)) for group in groups]
        variance += (len(groups) - 1) * float(np.var(replicates))
        freedom += len(groups) - 1
    if math.isnan(variance):
        return value, math.nan, math.nan, len(everyone)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(variance)
    return value, max(minimum, value - reach), value + reach, len(everyone)


def _groups(names: np.ndarray, seed: int, stratum: int) -> list[np.ndarray]:
    """Patients in at most `JACKKNIFE_GROUPS` random groups of (nearly) one size."""
    shuffled = numpy_generator(seed, "jackknife", stratum).permutation(names)
    return np.array_split(shuffled, min(len(names), JACKKNIFE_GROUPS))

"""Scores of a segmentation: Dice coefficient and 95th percentile of the Hausdorff distance, per class and patient.

A patient is scored on the slices that were extracted, not on the whole volume, so these numbers are not comparable
with those of a 3D challenge. Empty cases follow BraTS (Bakas et al. 2018): a class that is neither there nor found
scores DSC 1 and HD95 0. A class that is there and not found, or found and not there, scores DSC 0 and the worst
distance, the diagonal of the slice.
"""

import math
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mosaicmr.cohort.labels import TumourClass
from mosaicmr.evaluation.intervals import MEAN, metric_row, metric_table, patient_interval


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    """Dice coefficient 2|A∩B| / (|A|+|B|) of two boolean arrays of any one shape; 1 where both are empty."""
    total = int(found.sum()) + int(truth.sum())
    return 2.0 * int((found & truth).sum()) / total if total else 1.0


def hausdorff95(found: np.ndarray, truth: np.ndarray, pixel_size: float) -> float:
    """HD95 of two slices in mm: the larger of the two directed 95th percentiles between their outlines.

    found, truth: bool [H, W]; pixel_size in mm. 0 where both are empty, the diagonal of the slice where one is.
    """
    # Seconds to import, and the tables and figures of scores need none of it.
    from monai.metrics import compute_hausdorff_distance

    if not found.any() and not truth.any():
        return 0.0
    if not found.any() or not truth.any():
        return pixel_size * math.hypot(*truth.shape)
    with warnings.catch_warnings():
        # MONAI 1.6 calls its own deprecated option, once a slice.
        warnings.simplefilter("ignore", FutureWarning)
        distance = compute_hausdorff_distance(
            found[None, None], truth[None, None], include_background=True, percentile=95, spacing=pixel_size
        )
    return float(distance)


def score_patient(
    found: np.ndarray, truth: np.ndarray, classes: Sequence[TumourClass], pixel_size: float
) -> pd.DataFrame:
    """Scores of one patient, one row a class: class, dsc, hd95.

    found, truth: tumour classes, integer [n, H, W]. The DSC counts all pixels of the patient together; the HD95 (mm) is
    the mean over the patient's slices, because extracted slices need not be neighbours.
    """
    rows = []
    for tumour_class in classes:
        ours, theirs = found == tumour_class.value, truth == tumour_class.value
        distances = [hausdorff95(one, other, pixel_size) for one, other in zip(ours, theirs, strict=True)]
        rows.append({"class": tumour_class.name, "dsc": dice(ours, theirs), "hd95": float(np.mean(distances))})
    return pd.DataFrame(rows)


def mean_dice(found: np.ndarray, truth: np.ndarray, classes: Sequence[TumourClass]) -> float:
    """Mean over the classes of the Dice coefficient of two label maps of any one shape."""
    return float(np.mean([dice(found == one.value, truth == one.value) for one in classes]))


def patient_means(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores averaged over seeds, with the mean over classes as a class of its own, `mean`.

    scores: patient, seed, class, dsc, hd95. Returns patient, class, dsc, hd95.
    """
    by_class = scores.groupby(["patient", "class"], sort=False, as_index=False)[["dsc", "hd95"]].mean()
    overall = by_class.groupby("patient", sort=False, as_index=False)[["dsc", "hd95"]].mean().assign(**{"class": MEAN})
    return pd.concat([by_class, overall], ignore_index=True)


def score_metrics(scores: pd.DataFrame, seed: int, resamples: int) -> pd.DataFrame:
    """Tidy metric rows dsc_<class>, hd95_<class>, dsc_mean and hd95_mean with intervals over patients.

    scores: patient, seed, class, dsc, hd95. A patient counts once: its seeds are averaged first.
    """
    means = patient_means(scores)
    rows = []
    for measure in ("dsc", "hd95"):
        for name, group in means.groupby("class", sort=False):
            interval = patient_interval(group[measure], group["patient"], seed=seed, resamples=resamples)
            rows.append(metric_row(f"{measure}_{name}", *interval))
    return metric_table(rows)


def dice_gain(baseline: pd.DataFrame, other: pd.DataFrame, seed: int, resamples: int) -> dict[str, str | float | int]:
    """Metric row dsc_gain_percent: the gain of the mean DSC of `other` over that of `baseline`, in percent.

    baseline, other: scores (patient, seed, class, dsc, hd95) of the same patients, who are resampled in pairs.
    """
    columns = []
    for scores in (baseline, other):
        means = patient_means(scores)
        columns.append(means[means["class"] == MEAN].set_index("patient")["dsc"])
    pairs = pd.concat(columns, axis=1, keys=["baseline", "other"], join="inner")
    value, low, high, n = patient_interval(pairs, pairs.index, _relative_gain, seed=seed, resamples=resamples)
    why = "" if math.isfinite(value) else "The baseline segmenter finds nothing, and nothing has no percentage."
    return metric_row("dsc_gain_percent", value, low, high, n, why)


def _relative_gain(pairs: np.ndarray) -> float:
    baseline, other = pairs.mean(0)
    return 100.0 * (other / baseline - 1.0) if baseline > 0 else math.nan

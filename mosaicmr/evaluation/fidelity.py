"""Fidelity of a set of slices as tidy rows: Fréchet and kernel distances, SSIM and seam index, with the real floor.

The distances to training patients and to held-out patients mean different things: the first is low for a model that
memorises, the second also contains the differences between patients. `_train` compares with training slices and `_test`
with those of test patients. Their floors are real slices against real slices: two halves of the training patients,
and training against test patients. All are intervals over patients (mosaicmr/evaluation/intervals.py).
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from mosaicmr.cohort.selection import TEST, TRAINING
from mosaicmr.evaluation.feature_set import FeatureSet
from mosaicmr.evaluation.frechet import mean_frechet
from mosaicmr.evaluation.intervals import jackknife_interval, metric_row, patient_interval
from mosaicmr.evaluation.kid import POOL, KernelDistance
from mosaicmr.evaluation.seams import seam_index
from mosaicmr.evaluation.slices import HELD_OUT, pick_slices
from mosaicmr.seeds import numpy_generator

HALVINGS = 5
SSIM_PAIRS = 400  # pairs of real slices behind the floor of the SSIM
NO_INCEPTION = (
    "evaluation.inception_weights is null: name a local copy of inception-2015-12-05.pt there to get the FID."
)
NO_PAIRS = "There are no two patients whose slices could be paired, or no slice has any brain."


def variant_rows(synthetic: FeatureSet, real: FeatureSet, kid_subset: int, seed: int) -> list[dict]:
    """fid, frechet_efficientnet_train, frechet_efficientnet_test, kid_test and seam_index of a synthetic set."""
    train, test = real.of(TRAINING), real.of(TEST)
    return [
        _fid_row(synthetic, lambda: frechet_row("fid", synthetic, train, "inception", seed)),
        frechet_row("frechet_efficientnet_train", synthetic, train, "efficientnet", seed),
        frechet_row("frechet_efficientnet_test", synthetic, test, "efficientnet", seed),
        kid_row("kid_test", synthetic, test, kid_subset, seed),
        seam_row(synthetic, train, seed),
    ]


def floor_rows(real: FeatureSet, kid_subset: int, seed: int) -> list[dict]:
    """The same metrics of real slices: halves of the training patients, training against test, held-out seams."""
    train, test = real.of(TRAINING), real.of(TEST)
    return [
        _fid_row(real, lambda: halves_row("fid", train, "inception", seed)),
        halves_row("frechet_efficientnet_train", train, "efficientnet", seed),
        frechet_row("frechet_efficientnet_test", train, test, "efficientnet", seed),
        kid_row("kid_test", train, test, kid_subset, seed),
        seam_row(real.of(*HELD_OUT), train, seed),
    ]


def _fid_row(features: FeatureSet, measure: Callable[[], dict]) -> dict:
    return measure() if features.inception is not None else metric_row("fid", None, None, None, 0, NO_INCEPTION)


def frechet_row(metric: str, left: FeatureSet, right: FeatureSet, kind: str, seed: int) -> dict:
    """Fréchet distance on the features called `kind`, mean over modalities, with its jackknife interval."""
    ours, theirs = getattr(left, kind), getattr(right, kind)
    if problem := _too_few(left, right):
        return metric_row(metric, None, None, None, 0, problem)
    distance = jackknife_interval(
        lambda keep, keep_other: mean_frechet(ours[keep], theirs[keep_other]),
        left.patients,
        right.patients,
        seed=seed,
        minimum=0.0,
    )
    return metric_row(metric, *distance)


def halves_row(metric: str, train: FeatureSet, kind: str, seed: int) -> dict:
    """Mean Fréchet distance between disjoint random halves of the training patients, over `HALVINGS` halvings.

    Halves have half the slices, and the distance grows as slices get fewer, so this floor lies a little high.
    """
    features, names = getattr(train, kind), np.unique(train.patients)
    if len(names) < 2:
        why = f"There are {len(names)} training patients, and halves of them need two."
        return metric_row(metric, None, None, None, len(names), why)
    generator = numpy_generator(seed, "halves")
    halves = [np.isin(train.patients, generator.permutation(names)[: len(names) // 2]) for _ in range(HALVINGS)]

    def distance(keep: np.ndarray, _: np.ndarray) -> float:
        return float(np.mean([mean_frechet(features[half & keep], features[~half & keep]) for half in halves]))

    value, low, high, count = jackknife_interval(distance, train.patients, train.patients, seed=seed, minimum=0.0)
    why = "" if np.isfinite(value) else "A half of the training patients has fewer than two slices."
    return metric_row(metric, value, low, high, count, why)


def kid_row(metric: str, left: FeatureSet, right: FeatureSet, subset: int, seed: int) -> dict:
    """Kernel distance on EfficientNet features with its jackknife interval."""
    if problem := _too_few(left, right):
        return metric_row(metric, None, None, None, 0, problem)
    ours, theirs = (pick_slices(side.table, POOL, seed) for side in (left, right))
    distance = KernelDistance(left.efficientnet[ours], right.efficientnet[theirs], subset, seed)
    interval = jackknife_interval(distance, left.patients[ours], right.patients[theirs], seed=seed)
    return metric_row(metric, *interval)


def seam_row(features: FeatureSet, train: FeatureSet, seed: int) -> dict:
    """Seam index against the real slices of training patients, because their domain maps become the layouts."""
    value, low, high, count = jackknife_interval(
        lambda keep, keep_other: seam_index(features.steps[keep], train.steps[keep_other]),
        features.patients,
        train.patients,
        seed=seed,
        minimum=0.0,
    )
    why = "" if np.isfinite(value) else "No slice has a border between domains with both sides wide enough to measure."
    return metric_row("seam_index", value, low, high, count, why)


def ssim_rows(pairs: pd.DataFrame, resamples: int, seed: int) -> list[dict]:
    """ssim_brain and ssim_slice from a table of pairs (patient, ssim_brain, ssim_slice)."""
    rows = []
    for metric in ("ssim_brain", "ssim_slice"):
        value, low, high, count = patient_interval(pairs[metric], pairs["patient"], seed=seed, resamples=resamples)
        rows.append(metric_row(metric, value, low, high, count, "" if np.isfinite(value) else NO_PAIRS))
    return rows


def _too_few(left: FeatureSet, right: FeatureSet) -> str:
    if min(len(left), len(right)) >= 2:
        return ""
    return f"A distance between sets needs two slices on each side, and there are {len(left)} and {len(right)}."

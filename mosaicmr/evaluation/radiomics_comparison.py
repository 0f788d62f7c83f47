"""Comparison of two sets of slices by radiomic features: one by one, all together, and by a classifier.

A variant is compared with the real slices of the *training* patients, who are also the source patients of its
layouts: the same people stand on both sides, so the difference comes from the synthesis. Held-out patients differ from
training patients even where both are real; the floor measures this (training against held-out, both real).
"""

import warnings

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mosaicmr.evaluation.frechet import frechet_distance
from mosaicmr.evaluation.intervals import jackknife_interval, metric_row, patient_interval
from mosaicmr.seeds import derive_seed

KEYS = ["domain", "modality", "feature"]
FOLDS = 5
MINIMUM_SLICES = 3
# A feature known in fewer slices than this share of either set tells more about the presence of domains than about
# their look.
MINIMUM_SHARE = 0.5


def compare_features(real: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Distances between two long tables (slice, domain, modality, feature, value), one row a domain, modality, feature.

    wasserstein: first Wasserstein distance in standard deviations of `real`; ks: Kolmogorov-Smirnov statistic; p: its
    p-value; q: p after Benjamini & Hochberg 1995 over all rows; n_real and n_other: slices. p takes slices as
    independent, which slices of a patient are not: it flags features to look at and proves nothing. Features known
    in fewer than `MINIMUM_SLICES` slices of a side, or constant in `real`, are left out.
    """
    others = {key: group.to_numpy(float) for key, group in other.groupby(KEYS)["value"]}
    rows = []
    for key, group in real.groupby(KEYS)["value"]:
        ours, theirs = group.to_numpy(float), others.get(key, np.empty(0))
        spread = ours.std()
        if min(len(ours), len(theirs)) < MINIMUM_SLICES or spread <= 1e-12 * max(1.0, abs(ours.mean())):
            continue
        test = stats.ks_2samp(ours, theirs)
        distance = stats.wasserstein_distance(ours, theirs) / spread
        rows.append((*key, distance, test.statistic, test.pvalue, len(ours), len(theirs)))
    table = pd.DataFrame(rows, columns=[*KEYS, "wasserstein", "ks", "p", "n_real", "n_other"])
    q = stats.false_discovery_control(table["p"]) if len(table) else table["p"]
    table.insert(table.columns.get_loc("p") + 1, "q", q)
    return table


def feature_vectors(real: pd.DataFrame, other: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """One vector a slice from two long tables: z-scores by `real` [n, d] (NaN: unknown), patients [n], is-other [n].

    Features known in less than `MINIMUM_SHARE` of the slices of a side, or constant in `real`, are left out.
    """
    wide = [_widen(table) for table in (real, other)]
    known = [table.columns[table.notna().mean() >= MINIMUM_SHARE] for table in wide]
    columns = known[0].intersection(known[1])
    mean, spread = wide[0][columns].mean(), wide[0][columns].std(ddof=0)
    columns = columns[(spread > 1e-12 * mean.abs().clip(lower=1.0)).to_numpy()]
    both = pd.concat([(table[columns] - mean[columns]) / spread[columns] for table in wide])
    is_other = np.repeat([False, True], [len(table) for table in wide])
    return both, both.index.get_level_values("patient").to_numpy(str), is_other


def _widen(table: pd.DataFrame) -> pd.DataFrame:
    return table.pivot(index=["slice", "patient"], columns=KEYS, values="value")


def patient_folds(is_other: np.ndarray, patients: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cross-validation folds (training rows, test rows) that never divide a patient.

    Empty where no such folds leave both classes to train on.
    """
    counts = [len(np.unique(patients[is_other == side])) for side in (False, True)]
    folds = min(FOLDS, *counts)
    if folds < 2:
        return []
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=derive_seed(seed, "folds") % 2**32)
    pairs = [pair for pair in splitter.split(is_other, is_other, patients) if len(pair[1])]
    return pairs if all(len(np.unique(is_other[training])) == 2 for training, _ in pairs) else []


def classifier_row(
    vectors: pd.DataFrame, patients: np.ndarray, is_other: np.ndarray, resamples: int, seed: int
) -> dict:
    """radiomics_auc: area under the ROC curve of a classifier that tells the sets apart, on patients new to it.

    Logistic regression on standardised features; each patient's slices are scored by the fold that leaves the patient
    out. 0.5 means indistinguishable by these features, 1 always told apart. Where no patient is on both sides, as in
    the floor, and patients are few, it may fall below 0.5 by chance. The interval resamples patients with their
    scores.
    """
    folds = patient_folds(is_other, patients, seed) if vectors.shape[1] else []
    if not folds:
        why = "Telling the sets apart on unseen patients needs features of two patients on each side."
        return metric_row("radiomics_auc", None, None, None, len(np.unique(patients)), why)
    values, scores = vectors.to_numpy(float), np.empty(len(vectors))
    for training, unseen in folds:
        model = make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True),
            StandardScaler(),
            LogisticRegression(C=0.1, class_weight="balanced", max_iter=500),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(values[training], is_other[training])
        scores[unseen] = model.decision_function(values[unseen])
    scored = np.stack([scores, is_other], axis=1)
    return metric_row("radiomics_auc", *patient_interval(scored, patients, _auc, seed=seed, resamples=resamples))


def _auc(scored: np.ndarray) -> float:
    labels = scored[:, 1] > 0
    return float(roc_auc_score(labels, scored[:, 0])) if 0 < labels.sum() < len(labels) else float("nan")


def frechet_radiomics_row(vectors: pd.DataFrame, patients: np.ndarray, is_other: np.ndarray, seed: int) -> dict:
    """frechet_radiomics: Fréchet distance between the z-scored feature vectors of the two sets, per feature.

    After the Fréchet radiomic distance of Konz et al. 2024 (arXiv 2412.01496) and Osuala et al. 2024, but on masked
    domains of all modalities, without their wavelet features and logarithm, and divided by the number of features, so
    it is not comparable with their values. Unknown features take the mean of the real slices.
    """
    filled = vectors.fillna(0.0).to_numpy(float)
    ours, theirs = filled[~is_other], filled[is_other]
    if not vectors.shape[1] or min(len(ours), len(theirs)) < 2:
        why = "A distance between sets needs two slices with radiomic features on each side."
        return metric_row("frechet_radiomics", None, None, None, len(np.unique(patients)), why)
    distance = jackknife_interval(
        lambda keep, keep_other: frechet_distance(ours[keep], theirs[keep_other]) / filled.shape[1],
        patients[~is_other],
        patients[is_other],
        seed=seed,
        minimum=0.0,
    )
    return metric_row("frechet_radiomics", *distance)

"""Copies: synthetic slices that lie nearer to a training slice than real slices of other patients do.

A layout is a deformed training layout, so the outline and the domains of a synthetic slice are a training patient's by
design and prove nothing. Two descriptors look for more. Textures are what a slice shows beyond its layout, in
thumbnails that survive blurring, noise and small deformations. Features of a network see the whole look. The
distance of two slices is the smaller of the two, each in units of what is usual between held-out and training
patients. The threshold is what 5 % of the real held-out slices fall below, so about 5 % is what new patients have; the
floor shows it on training patients.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mosaicmr.cohort.selection import TRAINING
from mosaicmr.evaluation.feature_set import FeatureSet
from mosaicmr.evaluation.intervals import metric_row, patient_interval
from mosaicmr.evaluation.slices import HELD_OUT

FALSE_COPY_RATE = 0.05
NEIGHBOUR_COLUMNS = ["slice", "patient", "neighbour", "neighbour_patient", "distance", "threshold", "is_copy"]
TOO_FEW = (
    "The threshold needs slices of a training patient and of a held-out patient, and the cohort has {train} and {held} "
    "slices of them."
)


@dataclass(frozen=True)
class CopyScale:
    """Scale of distances between held-out and training patients: a unit for each descriptor, the threshold in units."""

    features: float
    texture: float
    threshold: float


def feature_distances(left: FeatureSet, right: FeatureSet, centre: np.ndarray) -> np.ndarray:
    """Cosine distances of EfficientNet features around `centre` [M, 1280], all modalities in one vector: [n, m]."""
    return 1.0 - _unit(left.efficientnet - centre) @ _unit(right.efficientnet - centre).T


def texture_distances(left: FeatureSet, right: FeatureSet) -> np.ndarray:
    """1 - correlation of textures, all modalities alike, the better of the slice and its mirror image: [n, m]."""
    theirs = _unit(_normalised(right.textures)).T
    plain, mirrored = left.textures, left.textures[..., ::-1]
    return 1.0 - np.maximum(_unit(_normalised(plain)) @ theirs, _unit(_normalised(mirrored)) @ theirs)


def _normalised(textures: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(textures, axis=(-1, -2), keepdims=True)
    return textures / np.maximum(norm, 1e-12)


def _unit(vectors: np.ndarray) -> np.ndarray:
    flat = np.asarray(vectors, np.float64).reshape(len(vectors), -1)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)


def slice_distances(left: FeatureSet, train: FeatureSet, scale: CopyScale) -> np.ndarray:
    """Distances [n, m] in the units of `scale`: the smaller of the two descriptors'."""
    centre = train.efficientnet.mean(axis=0)
    features = feature_distances(left, train, centre) / scale.features
    return np.minimum(features, texture_distances(left, train) / scale.texture)


def fit_scale(held_out: FeatureSet, train: FeatureSet) -> CopyScale:
    """Units and threshold from the nearest training slices of real held-out slices.

    A unit is the median over held-out slices of the distance to the nearest training slice; the threshold is the
    quantile `FALSE_COPY_RATE` of the combined distance.
    """
    centre = train.efficientnet.mean(axis=0)
    features = np.median(feature_distances(held_out, train, centre).min(axis=1))
    texture = np.median(texture_distances(held_out, train).min(axis=1))
    units = CopyScale(max(float(features), 1e-9), max(float(texture), 1e-9), threshold=np.nan)
    nearest = slice_distances(held_out, train, units).min(axis=1)
    return CopyScale(units.features, units.texture, float(np.quantile(nearest, FALSE_COPY_RATE)))


def nearest_neighbours(
    slices: FeatureSet, train: FeatureSet, scale: CopyScale, other_patients: bool = False
) -> pd.DataFrame:
    """The nearest training slice of each slice, with the columns of `NEIGHBOUR_COLUMNS`.

    With `other_patients`, slices of the same patient are skipped (for training slices themselves). is_copy: the
    distance is below the threshold. Slices without any neighbour are left out.
    """
    distances = slice_distances(slices, train, scale)
    if other_patients:
        distances = np.where(slices.patients[:, None] == train.patients[None], np.inf, distances)
    nearest = distances.argmin(axis=1)
    found = distances[np.arange(len(slices)), nearest]
    table = pd.DataFrame(
        {
            "slice": slices.table["slice"].to_numpy(),
            "patient": slices.patients,
            "neighbour": train.table["slice"].to_numpy()[nearest],
            "neighbour_patient": train.patients[nearest],
            "distance": found,
            "threshold": scale.threshold,
            "is_copy": found < scale.threshold,
        }
    )
    return table[np.isfinite(found)].reset_index(drop=True)


def measure_memorisation(
    synthetic: FeatureSet | None, real: FeatureSet, resamples: int, seed: int
) -> tuple[dict, pd.DataFrame]:
    """The row copy_rate and the table of neighbours of a synthetic set, or of the floor (None).

    The floor judges each training slice against the training slices of the other patients by the same threshold.
    """
    train, held_out = real.of(TRAINING), real.of(*HELD_OUT)
    if not len(train) or not len(held_out):
        why = TOO_FEW.format(train=len(train), held=len(held_out))
        return metric_row("copy_rate", None, None, None, 0, why), pd.DataFrame(columns=NEIGHBOUR_COLUMNS)
    scale = fit_scale(held_out, train)
    slices = train if synthetic is None else synthetic
    table = nearest_neighbours(slices, train, scale, other_patients=synthetic is None)
    if not len(table):
        why = "There is only one training patient, so no training slice has a neighbour of another patient."
        return metric_row("copy_rate", None, None, None, 0, why), table
    rate = patient_interval(table["is_copy"].astype(float), table["patient"], seed=seed, resamples=resamples)
    return metric_row("copy_rate", *rate), table

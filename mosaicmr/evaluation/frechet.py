"""The Fréchet distance between two sets of feature vectors."""

import numpy as np


def frechet_distance(left: np.ndarray, right: np.ndarray) -> float:
    """Squared Fréchet distance between the normal distributions fitted to `left` [n, d] and `right` [m, d].

    |μ₁ - μ₂|² + Tr(Σ₁ + Σ₂ - 2 (Σ₁Σ₂)^½) (Dowson & Landau 1982; Heusel et al. 2017, equation 6), covariances with n -
    1. With Σ = AᵀA, Tr (Σ₁Σ₂)^½ is the sum of the singular values of A₁A₂ᵀ, which has the sides of the smaller of
    slices and features, so no matrix square root is taken. NaN where a side has fewer than two vectors.

    The distance is biased upwards, the more the fewer slices there are: compare only distances of like N.
    """
    if min(len(left), len(right)) < 2:
        return float("nan")
    left, right = np.asarray(left, np.float64), np.asarray(right, np.float64)
    shift = left.mean(axis=0) - right.mean(axis=0)
    first, second = _root(left), _root(right)
    overlap = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    distance = shift @ shift + np.sum(first**2) + np.sum(second**2) - 2 * overlap
    return float(max(distance, 0.0))


def _root(features: np.ndarray) -> np.ndarray:
    """A [min(n, d), d] with AᵀA the covariance of `features` [n, d]."""
    count, dimensions = features.shape
    centred = (features - features.mean(axis=0)) / np.sqrt(count - 1)
    if count <= dimensions:
        return centred
    values, vectors = np.linalg.eigh(centred.T @ centred)
    return np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T


def mean_frechet(left: np.ndarray, right: np.ndarray) -> float:
    """Mean over the modalities of the distance between `left` [n, M, d] and `right` [m, M, d].

    Each modality has its own grey image and its own distance: features of all modalities in one vector would ask for a
    covariance of M d dimensions from the same few slices.
    """
    return float(np.mean([frechet_distance(left[:, index], right[:, index]) for index in range(left.shape[1])]))

"""Kernel distance between two sets of feature vectors (KID, on any features)."""

import numpy as np

from mosaicmr.seeds import numpy_generator

SUBSETS = 100
POOL = 4000  # kernels of all pairs are held in memory; more slices than this hardly change the estimate


def polynomial_kernel(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(x·y / d + 1)³ for all pairs of `left` [n, d] and `right` [m, d]: [n, m] (Bińkowski et al. 2018, section 4)."""
    return (np.asarray(left, np.float64) @ np.asarray(right, np.float64).T / left.shape[1] + 1.0) ** 3


def unbiased_mmd(within_left: np.ndarray, within_right: np.ndarray, between: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy from kernels [n, n], [m, m] and [n, m] (Gretton et al. 2012, eq. 3).

    NaN where a side has fewer than two vectors. It may be negative: its mean is zero for equal distributions.
    """
    n, m = between.shape
    if min(n, m) < 2:
        return float("nan")
    left = (within_left.sum() - np.trace(within_left)) / (n * (n - 1))
    right = (within_right.sum() - np.trace(within_right)) / (m * (m - 1))
    return float(left + right - 2 * between.mean())


class KernelDistance:
    """KID between `left` [n, M, d] and `right` [m, M, d]: mean over modalities and random subsets of `subset` slices.

    The subsets are drawn once (by `seed`, `SUBSETS` of them, one where all slices fit), so that leaving a patient out
    changes a distance by what the patient contributed and not by other draws.
    """

    def __init__(self, left: np.ndarray, right: np.ndarray, subset: int, seed: int) -> None:
        generator = numpy_generator(seed, "kid")
        size = min(subset, len(left), len(right))
        count = 1 if size == len(left) == len(right) else SUBSETS
        self._subsets = [
            (generator.permutation(len(left))[:size], generator.permutation(len(right))[:size]) for _ in range(count)
        ]
        self._kernels = [
            (polynomial_kernel(ours, ours), polynomial_kernel(theirs, theirs), polynomial_kernel(ours, theirs))
            for ours, theirs in ((left[:, index], right[:, index]) for index in range(left.shape[1]))
        ]

    def __call__(self, keep_left: np.ndarray, keep_right: np.ndarray) -> float:
        """The distance of the slices kept by the boolean arrays [n] and [m]; NaN where no subset keeps two of each."""
        distances = []
        for rows, columns in self._subsets:
            rows, columns = rows[keep_left[rows]], columns[keep_right[columns]]
            for ours, theirs, between in self._kernels:
                blocks = ours[np.ix_(rows, rows)], theirs[np.ix_(columns, columns)], between[np.ix_(rows, columns)]
                distances.append(unbiased_mmd(*blocks))
        known = [distance for distance in distances if not np.isnan(distance)]
        return float(np.mean(known)) if known else float("nan")

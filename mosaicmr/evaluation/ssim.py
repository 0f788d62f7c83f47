"""Structural similarity of slices, over the brain and over the whole slice.

A high SSIM to the source slice is no merit by itself: a copy has SSIM 1, and the black background raises every
whole-slice value. It is reported because the literature reports it; read it beside the floor and the copy rate.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from skimage.metrics import structural_similarity

from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.evaluation.slices import gather_slices, pick_slices
from mosaicmr.seeds import numpy_generator

COLUMNS = ["patient", "ssim_brain", "ssim_slice"]


def slice_ssim(left: np.ndarray, right: np.ndarray, brain: np.ndarray) -> tuple[float, float]:
    """SSIM of two slices [M, H, W] in [0, 1]: mean over the mask `brain` [H, W] and over the whole slice.

    Wang et al. 2004 with their Gaussian window (σ 1.5, 11 pixels) and a data range of 1; the map of each modality is
    averaged in the mask, then over modalities. NaN for an empty mask. Both sides must be at least 11 pixels.
    """
    maps = np.stack(
        [
            structural_similarity(
                one.astype(np.float64),
                other.astype(np.float64),
                data_range=1.0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                full=True,
            )[1]
            for one, other in zip(left, right, strict=True)
        ]
    )
    inside = brain.astype(bool)
    return float(maps[:, inside].mean()) if inside.any() else float("nan"), float(maps.mean())


def _table(left: np.ndarray, right: np.ndarray, brain: np.ndarray, patients: np.ndarray) -> pd.DataFrame:
    values = [slice_ssim(*pair) for pair in zip(left, right, brain, strict=True)]
    table = pd.DataFrame(values, columns=COLUMNS[1:], dtype=float)
    return table.assign(patient=np.asarray(patients, str))[COLUMNS]


def source_ssim(batches: Iterable[SliceSet]) -> pd.DataFrame:
    """SSIM of each synthetic slice to its aligned source slice: rows of patient, ssim_brain, ssim_slice."""
    tables = [_table(batch.images, batch.source, batch.brain, batch.table["patient"]) for batch in batches]
    return pd.concat(tables, ignore_index=True)


def real_ssim(table: pd.DataFrame, batches: Iterable[SliceSet], limit: int, seed: int) -> pd.DataFrame:
    """SSIM of real slices of two different patients at nearest height: rows of patient, ssim_brain, ssim_slice.

    `table` (slice, patient, height) names all real slices, `batches` hold them; at most `limit` pairs are drawn,
    evenly over patients. The brain of a pair is that of either slice. Empty where there is only one patient.
    """
    if table["patient"].nunique() < 2:
        return pd.DataFrame({column: [] for column in COLUMNS})
    first = pick_slices(table, limit, seed)
    second = pair_patients(table, seed)[first]
    batch = gather_slices(batches, table["slice"].iloc[np.union1d(first, second)])
    position = pd.Series(np.arange(len(batch)), index=batch.table["slice"])
    ours, theirs = (position[table["slice"].iloc[rows]].to_numpy() for rows in (first, second))
    brain = batch.brain[ours] | batch.brain[theirs]
    return _table(batch.images[ours], batch.images[theirs], brain, table["patient"].iloc[first])


def pair_patients(table: pd.DataFrame, seed: int) -> np.ndarray:
    """For each row of `table` (patient, height), the position of a slice of another patient at the nearest height.

    The other patient is drawn at random, so that the pairs are those of any two patients and not of the two most
    alike. Raises ValueError where there is only one patient.
    """
    generator = numpy_generator(seed, "pair patients")
    names = table["patient"].unique()
    if len(names) < 2:
        raise ValueError("pairs of different patients need two patients")
    rows_of = {name: np.flatnonzero(table["patient"] == name) for name in names}
    heights = table["height"].to_numpy(float)
    partners = []
    for patient, height in zip(table["patient"], heights, strict=True):
        rows = rows_of[generator.choice(names[names != patient])]
        partners.append(rows[np.argmin(np.abs(heights[rows] - height))])
    return np.array(partners, dtype=int)

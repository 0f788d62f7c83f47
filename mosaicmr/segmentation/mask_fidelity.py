"""Mask fidelity: a segmenter trained on real slices looks in synthetic slices for the tumour of the layout.

The segmenter errs on real slices too, so its Dice on the held-out patients' own labels is the ceiling that a perfect
synthesis would reach; it is reported as the floor column, beside the variants.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from torch import nn

from mosaicmr.cohort.labels import TumourClass
from mosaicmr.evaluation.intervals import metric_row, metric_table, patient_interval
from mosaicmr.segmentation.scores import mean_dice
from mosaicmr.segmentation.segmenter import segment_references
from mosaicmr.stage import progress


def patient_dice(
    references: pd.DataFrame, segmenters: Mapping[int, nn.Module], classes: Sequence[TumourClass]
) -> pd.Series:
    """Dice of the segmenters' labels against the slices' own, by patient (of a synthetic slice: its source patient).

    A patient's slices are taken together, as in `score_patient`; the mean is over classes and the segmenters' seeds.
    """
    values = {}
    groups = references.groupby("patient")
    for patient, group in progress(groups, groups.ngroups, "patients segmented"):
        pairs = [segment_references(model, group, classes) for model in segmenters.values()]
        values[patient] = np.mean([mean_dice(found, asked, classes) for found, asked in pairs])
    return pd.Series(values, dtype=float)


def mask_fidelity_metrics(by_patient: pd.Series, seed: int, resamples: int) -> pd.DataFrame:
    """The tidy metric row mask_dice from `patient_dice`, with its interval over patients."""
    value, low, high, n = patient_interval(by_patient, by_patient.index, seed=seed, resamples=resamples)
    why = "" if n else "There are no slices to segment."
    return metric_table([metric_row("mask_dice", value, low, high, n, why)])

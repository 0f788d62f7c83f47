"""Tables as a run writes them, with invented numbers, for tests of figures."""

import numpy as np
import pandas as pd

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.evaluation.intervals import metric_row, metric_table
from mosaicmr.evaluation.summary import SUBSET_METRICS, summarize
from mosaicmr.segmentation.scores import score_metrics

CLASSES = LabelScheme.named("brats2021").classes
DOMAINS = ["necrosis", "oedema", "enhancing", "healthy1", "healthy2", "healthy3"]
VARIANTS = ["independent", "single", "independent_from_source", "single_from_source"]
ARMS = ["real", "real+classical", "real+synthetic", "synthetic"]


def training_curves(steps: int = 100) -> pd.DataFrame:
    """Falling, noisy losses of every expert."""
    generator = np.random.default_rng(1)
    step = np.arange(1, steps + 1)
    parts = []
    for index, expert in enumerate([*DOMAINS, "whole"]):
        loss = (0.1 + 0.02 * index + 0.3 * np.exp(-step / 20)) * generator.lognormal(0, 0.3, steps)
        parts.append(pd.DataFrame({"expert": expert, "step": step, "loss": loss}))
    return pd.concat(parts, ignore_index=True)


def radiomic_features(slices: int = 30) -> pd.DataFrame:
    """Features of every domain for real slices and each variant; one value is far from all others."""
    generator = np.random.default_rng(1)
    features = ["firstorder_Mean", "firstorder_InterquartileRange", "firstorder_Entropy", "glcm_Contrast"]
    parts = []
    for shift, subset in enumerate(["real", *VARIANTS]):
        for level, domain in enumerate(DOMAINS):
            for scale, feature in enumerate(features, start=1):
                value = scale * (0.3 * shift + level + generator.standard_normal(slices))
                value[0] += 1000 * ((subset, domain, feature) == ("real", "oedema", "glcm_Contrast"))
                parts.append(pd.DataFrame({"subset": subset, "domain": domain, "feature": feature, "value": value}))
    return pd.concat(parts, ignore_index=True).assign(modality="FLAIR")


def patient_scores(patients: int = 4) -> dict[str, pd.DataFrame]:
    """Scores of each arm for a few patients and two seeds."""
    generator = np.random.default_rng(1)
    tables = {}
    for level, arm in enumerate(ARMS):
        rows = [
            {
                "patient": f"p{patient}",
                "seed": seed,
                "class": tumour_class.name,
                "dsc": float(np.clip(0.5 + 0.05 * level + 0.1 * generator.standard_normal(), 0, 1)),
                "hd95": float(10 + 4 * generator.random()),
            }
            for patient in range(patients)
            for seed in (1, 2)
            for tumour_class in CLASSES
        ]
        tables[arm] = pd.DataFrame(rows)
    return tables


def segmentation_metrics(scores: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tidy table of each arm."""
    return {arm: score_metrics(table, 1, 50) for arm, table in scores.items()}


def run_summary(patients: int = 4) -> dict:
    """A whole summary; FID was not computed, and mask_dice has no interval."""
    rows = [metric_row(name, 1.234, 0.9, 1.5, 7) for name in SUBSET_METRICS if name not in ("fid", "mask_dice")]
    rows.append(metric_row("fid", None, None, None, 0, "No Inception file was given."))
    rows.append(metric_row("mask_dice", 0.7, None, None, 1))
    subsets = {name: [metric_table(rows)] for name in ("floor", *VARIANTS)}
    arms = segmentation_metrics(patient_scores(patients))
    return summarize("demo", {"patients": {}, "slices": {}}, subsets, arms, CLASSES)

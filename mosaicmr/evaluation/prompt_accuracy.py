"""Prompt accuracy: the words that a prompt asked for against the words that the slice's own pixels earn.

The asked words are those of the slice that the layout was made from, so a variant that starts from this source gets
them for free. Chance is the rate at which words would agree if they were exchanged at random between the slices.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.evaluation.intervals import metric_row, metric_table, patient_interval
from mosaicmr.prompts.looks import BRIGHTNESS, TEXTURE, Look, LookScale, measure_regions, read_looks

COLUMNS = ["slice", "patient", "tumour_class", "modality"]
COLUMNS += [f"{side}_{attribute}" for attribute in (BRIGHTNESS, TEXTURE) for side in ("asked", "measured")]


def compare_looks(batches: Iterable[SliceSet], scale: LookScale) -> pd.DataFrame:
    """The asked and the measured words, one row for each asked look of a variant's slices.

    batches: the images drawn, and the layouts with their labels. scale: what the words mean. Returns
    columns slice, patient (of the source slice), tumour_class (name), modality, asked_brightness, measured_brightness
    (indices of SHADES), asked_texture and measured_texture (of TEXTURES).
    """
    rows = []
    for batch in batches:
        modalities, classes = batch.header.modalities, batch.header.classes
        class_names = {tumour_class.value: tumour_class.name for tumour_class in classes}
        for images, labels, row in zip(batch.images, batch.labels, batch.table.to_dict("records"), strict=True):
            regions = measure_regions(images, labels, modalities, batch.header.pixel_size)
            for asked, measured in _pairs(read_looks(row, classes, modalities), scale.describe(regions)):
                words = (asked.brightness, measured.brightness, asked.texture, measured.texture)
                names = (row["slice"], row["patient"], class_names[asked.tumour_class], asked.modality)
                rows.append((*names, *words))
    return pd.DataFrame(rows, columns=COLUMNS)


def _pairs(asked: Sequence[Look], measured: Sequence[Look]) -> list[tuple[Look, Look]]:
    """Each asked look with the measured look; both are of the same label map, so each has its partner."""
    found = {(look.tumour_class, look.modality): look for look in measured}
    return [(look, found[look.tumour_class, look.modality]) for look in asked]


def accuracy_metrics(looks: pd.DataFrame, seed: int, resamples: int) -> pd.DataFrame:
    """Tidy metric rows of `compare_looks`.

    prompt_brightness and prompt_texture are the shares of asked words that agree with the measured words, with
    intervals over patients. prompt_brightness_chance and prompt_texture_chance are the same shares by chance. They have
    no interval: a resample that repeats patients repeats words, which lifts the chance above its estimate. Each metric
    is repeated for every tumour class and modality as `<metric>_<class>_<modality>`.
    """
    kinds = looks.groupby(["tumour_class", "modality"], sort=False)
    looks = looks.assign(kind=kinds.ngroup())
    parts = {(): looks} | {kind: looks.loc[rows] for kind, rows in kinds.groups.items()}
    rows = []
    for attribute in (BRIGHTNESS, TEXTURE):
        columns = ["kind", f"asked_{attribute}", f"measured_{attribute}"]
        for kind, part in parts.items():
            words = part[columns].to_numpy(int)
            interval = patient_interval(words, part["patient"], agreement, seed=seed, resamples=resamples)
            why = "" if len(part) else "No prompt of this run says how a tumour looks."
            rows.append(metric_row(metric_name(attribute, False, *kind), *interval, why))
            chance = chance_agreement(words) if len(part) else None
            rows.append(metric_row(metric_name(attribute, True, *kind), chance, None, None, interval[-1], why))
    return metric_table(rows)


def unasked_metrics() -> pd.DataFrame:
    """The metric rows of slices without a prompt: the real slices of the floor."""
    why = "Real slices follow no prompt."
    names = [metric_name(attribute, chance) for attribute in (BRIGHTNESS, TEXTURE) for chance in (False, True)]
    return metric_table([metric_row(name, None, None, None, 0, why) for name in names])


def metric_name(attribute: str, chance: bool, *kind: str) -> str:
    """The metric of an attribute (BRIGHTNESS or TEXTURE) or its chance, of all looks or of a kind: class, modality."""
    return "_".join(["prompt", attribute, *(["chance"] if chance else []), *kind])


def agreement(words: np.ndarray) -> float:
    """The share of rows whose asked and measured word agree. words: int [n, 3], kind of region, asked, measured."""
    return float(np.mean(words[:, 1] == words[:, 2]))


def chance_agreement(words: np.ndarray) -> float:
    """The expected `agreement` where the asked words of each kind are randomly permuted among its rows.

    That is the sum over the words of (times asked) x (times measured) / n², weighted by the kinds' shares of the rows.
    """
    expected = 0.0
    for kind in np.unique(words[:, 0]):
        _, asked, measured = words[words[:, 0] == kind].T
        size = max(asked.max(), measured.max()) + 1
        expected += np.bincount(asked, minlength=size) @ np.bincount(measured, minlength=size) / len(asked)
    return float(expected / len(words))

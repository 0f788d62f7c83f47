"""Domains: the regions into which the pixels of a slice are divided, each with its expert.

Ids 1..T are the tumour classes of the cohort, by rising value; T+1..T+K are healthy tissue by rising grey level
of the reference modality, whose bounds mosaicmr/partition/fitting.py fits.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mosaicmr.cohort.labels import TumourClass
from mosaicmr.errors import InputError
from mosaicmr.io import load_json, save_json

TUMOUR, HEALTHY = "tumour", "healthy"
HEALTHY_NAME = re.compile(rf"{HEALTHY}([1-9]\d*)")
WHOLE = "whole"  # the "domain" of the expert for whole slices
REFERENCE_PREFERENCE = ("T1", "T1ce", "FLAIR", "T2")


@dataclass(frozen=True)
class Domain:
    """A domain. kind: 'tumour' (with `tumour_class`, canonical) or 'healthy' (relative grey in [grey_low, grey_high);
    None is unbounded)."""

    id: int
    name: str
    kind: str
    tumour_class: int | None = None
    grey_low: float | None = None
    grey_high: float | None = None


def domain_names(classes: Iterable[TumourClass], healthy_domains: int) -> list[str]:
    """Names of all domains in the order of their ids (the first has id 1). classes: of the cohort, by rising value."""
    tumours = [tumour_class.name for tumour_class in classes]
    return tumours + [f"{HEALTHY}{number}" for number in range(1, healthy_domains + 1)]


def choose_reference(modalities: Sequence[str], requested: str | None) -> str:
    """The modality whose grey level divides healthy tissue; without a request the first of T1, T1ce, FLAIR, T2 present.

    Raises InputError if the requested modality is not among `modalities`.
    """
    if requested is None:
        return next(modality for modality in (*REFERENCE_PREFERENCE, *modalities) if modality in modalities)
    if requested not in modalities:
        raise InputError(
            f"partition.reference_modality is '{requested}', which is not among cohort.modalities "
            f"({', '.join(modalities)}): name one of them, or null."
        )
    return requested


def thresholds(domains: Sequence[Domain]) -> np.ndarray:
    """The K-1 rising grey levels between neighbouring healthy domains."""
    return np.array([domain.grey_high for domain in domains if domain.kind == HEALTHY][:-1], np.float64)


def assign(cells: np.ndarray, cell_table: pd.DataFrame, domains: Sequence[Domain]) -> np.ndarray:
    """Give every cell of one slice its healthy domain.

    cells: uint16 [H, W], 0 outside; cell_table: columns cell and relative_grey of this slice.
    Returns uint8 [H, W], 0 where cells is 0.
    """
    ids = np.array([domain.id for domain in domains if domain.kind == HEALTHY], np.uint8)
    lookup = np.zeros(int(cells.max()) + 1, np.uint8)
    numbers = cell_table["cell"].to_numpy(int)
    greys = cell_table["relative_grey"].to_numpy(float)
    lookup[numbers] = ids[np.searchsorted(thresholds(domains), greys, side="right")]
    return lookup[cells]


def partition_slice(
    labels: np.ndarray, cells: np.ndarray, cell_table: pd.DataFrame, domains: Sequence[Domain]
) -> np.ndarray:
    """The domain map of one slice: tumour from the labels, healthy brain from its cells.

    labels: uint8 [H, W], canonical classes; the rest as in `assign`. Returns uint8 [H, W] of domain ids, 0 in the
    background.
    """
    partition = assign(cells, cell_table, domains)
    for domain in domains:
        if domain.kind == TUMOUR:
            partition[labels == domain.tumour_class] = domain.id
    return partition


def save_domains(path: str | Path, domains: Sequence[Domain], reference_modality: str, patients_fitted: int) -> None:
    """Write domains.json."""
    rows = []
    for domain in domains:
        row: dict = {"id": domain.id, "name": domain.name, "kind": domain.kind}
        if domain.kind == TUMOUR:
            row["class"] = domain.tumour_class
        else:
            row |= {"grey_low": domain.grey_low, "grey_high": domain.grey_high}
        rows.append(row)
    save_json(path, {"domains": rows, "reference_modality": reference_modality, "patients_fitted": patients_fitted})


def load_domains(path: str | Path) -> tuple[list[Domain], str]:
    """Read domains.json: the domains by id, and the reference modality."""
    content = load_json(path)
    domains = [
        Domain(row["id"], row["name"], row["kind"], row.get("class"), row.get("grey_low"), row.get("grey_high"))
        for row in content["domains"]
    ]
    return domains, content["reference_modality"]

"""Integrity check before anything else: all that is wrong with each subject, and how large its tumour is."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.picture_files import Picture
from mosaicmr.cohort.pictures import picture_of
from mosaicmr.cohort.subject import Subject
from mosaicmr.cohort.volumes import Volumes, examine_subject, image_digest
from mosaicmr.errors import InputError
from mosaicmr.scans.findings import ACCEPTED, DOUBTFUL, REFUSED, Finding
from mosaicmr.scans.image_files import read_image
from mosaicmr.scans.mask_checks import label_values

logger = logging.getLogger(__name__)

# Of every subject; beside them stand the volumes of the classes.
ROW_COLUMNS = ["subject", "patient", "shard", "verdict", "labels", "voxels", "tumour_volume_mm3", "voxel_volume_mm3"]
FINDING_COLUMNS = ["subject", "file", "severity", "reason", "remedy"]


@dataclass(frozen=True)
class CheckedSubject:
    """A subject that was read completely.

    row: subject, patient, shard, verdict, labels (the values in the segmentation, as text), voxels (a digest of the
    images, by which a scan that is there twice is found), volume_<class>_mm3 of each class, tumour_volume_mm3 and
    voxel_volume_mm3; numbers are NaN where the subject cannot be read. picture: None where it cannot.
    """

    row: dict[str, str | float]
    findings: list[Finding]
    picture: Picture | None


def check_subject(subject: Subject, scheme: LabelScheme) -> CheckedSubject:
    """Read a subject completely, say all that is wrong with it, and measure its tumour."""
    volumes, findings = examine_subject(subject, scheme)
    for finding in findings:
        logger.warning("%s: %s", finding.severity, finding.sentence)
    row: dict[str, str | float] = {
        "subject": subject.subject,
        "patient": subject.patient,
        "shard": subject.shard,
        "verdict": verdict_of(findings),
        "labels": " ".join(f"{value:g}" for value in _labels_of(subject)),
        "voxels": "" if volumes is None else image_digest(volumes),
    }
    row |= _measure(volumes, scheme)
    if row["tumour_volume_mm3"] == 0:
        logger.info("%s has no tumour: it gives no slices", subject.subject)
    return CheckedSubject(row, findings, None if volumes is None else picture_of(volumes))


def verdict_of(findings: Iterable[Finding]) -> str:
    """One of VERDICTS, by the worst of a subject's findings."""
    severities = {finding.severity for finding in findings}
    return next((verdict for verdict in (REFUSED, DOUBTFUL) if verdict in severities), ACCEPTED)


def _measure(volumes: Volumes | None, scheme: LabelScheme) -> dict[str, float]:
    names = [f"volume_{tumour_class.name}_mm3" for tumour_class in scheme.classes]
    if volumes is None:
        return dict.fromkeys([*names, "tumour_volume_mm3", "voxel_volume_mm3"], float("nan"))
    voxels = [int((volumes.labels == tumour_class.value).sum()) for tumour_class in scheme.classes]
    measured = {name: count * volumes.voxel_volume for name, count in zip(names, voxels, strict=True)}
    whole = int((volumes.labels > 0).sum()) * volumes.voxel_volume
    return measured | {"tumour_volume_mm3": whole, "voxel_volume_mm3": volumes.voxel_volume}


def _labels_of(subject: Subject) -> np.ndarray:
    """The values of a segmentation but 0, whatever the scheme makes of them; none where it cannot be read."""
    try:
        values = np.unique(label_values(read_image(subject.labels, straight=False), subject.labels))
    except InputError:
        return np.empty(0)
    return values[values != 0]


def check_subjects(
    subjects: Iterable[Subject], scheme: LabelScheme
) -> tuple[pd.DataFrame, pd.DataFrame, list[Picture | None]]:
    """Check several subjects.

    Returns a row a subject as in `CheckedSubject`, a row a finding (FINDING_COLUMNS), and their pictures.
    """
    checked = [check_subject(subject, scheme) for subject in subjects]
    rows = [one.row for one in checked]
    found = [as_row(one.row["subject"], finding) for one in checked for finding in one.findings]
    return pd.DataFrame(rows), tabulate_findings(found), [one.picture for one in checked]


def as_row(subject: str, finding: Finding) -> tuple[str, ...]:
    """A finding on a subject, '' for none, in the order of FINDING_COLUMNS."""
    return (subject, str(finding.file), finding.severity, finding.reason, finding.remedy)


def tabulate_findings(rows: Iterable[tuple[str, ...]]) -> pd.DataFrame:
    """The table of findings from `as_row`: FINDING_COLUMNS, all text."""
    return pd.DataFrame(list(rows), columns=FINDING_COLUMNS).astype("str")

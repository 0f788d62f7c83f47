"""Integrity check before anything else, and the volumes that the split balances."""

import logging
from collections.abc import Iterable

import pandas as pd

from mosaicmr.cohort.findings import raise_first_refusal
from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.subject import Subject
from mosaicmr.cohort.volumes import examine_subject

logger = logging.getLogger(__name__)


def check_subject(subject: Subject, scheme: LabelScheme) -> dict[str, str | float]:
    """Read a subject completely and measure its tumour.

    Returns subject, patient, shard, volume_<class>_mm3 of each class of the scheme, tumour_volume_mm3 and
    voxel_volume_mm3. Logs doubtful findings. Raises InputError as `load_volumes` does.
    """
    volumes, findings = examine_subject(subject, scheme)
    for finding in findings:
        if finding.severity == "doubtful":
            logger.warning("%s", finding.sentence)
    raise_first_refusal(findings)
    row: dict[str, str | float] = {"subject": subject.subject, "patient": subject.patient, "shard": subject.shard}
    for tumour_class in scheme.classes:
        voxels = int((volumes.labels == tumour_class.value).sum())
        row[f"volume_{tumour_class.name}_mm3"] = voxels * volumes.voxel_volume
    row["tumour_volume_mm3"] = int((volumes.labels > 0).sum()) * volumes.voxel_volume
    row["voxel_volume_mm3"] = volumes.voxel_volume
    if row["tumour_volume_mm3"] == 0:
        logger.info("%s has no tumour: it gives no slices", subject.subject)
    return row


def check_subjects(subjects: Iterable[Subject], scheme: LabelScheme) -> pd.DataFrame:
    """Check several subjects: a row a subject, as `check_subject` gives them."""
    return pd.DataFrame([check_subject(subject, scheme) for subject in subjects])

"""Findings: everything that is wrong, or may be wrong, with a file of a cohort, each with its remedy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import pandas as pd

from mosaicmr.errors import InputError

Severity = Literal["undecided", "refused", "doubtful"]
# What becomes of a scan, by the worst of its findings; one that lacks a file is no subject, and so incomplete.
VERDICTS = ACCEPTED, DOUBTFUL, REFUSED = "accepted", "doubtful", "refused"
INCOMPLETE = "incomplete"
UNDECIDED = "undecided"


@dataclass(frozen=True)
class Finding:
    """A fault of a file. With `refused` its subject cannot be used; with `doubtful` it can, and somebody should look.

    With `undecided` the cohort cannot be used, not even without the file, until its owner says what is meant.

    reason: a predicate with the value found ("has the shape ..."); remedy: an order to the user, without a full stop.
    """

    file: Path
    severity: Severity
    reason: str
    remedy: str

    @property
    def sentence(self) -> str:
        """The finding in one sentence."""
        return f"{self.file} {self.reason}: {self.remedy}."

    def record(self) -> dict[str, str]:
        """The finding as JSON holds it."""
        return {**vars(self), "file": str(self.file)}

    @classmethod
    def from_record(cls, record: Mapping[str, str]) -> Self:
        """The finding that `record` describes."""
        return cls(**{**record, "file": Path(record["file"])})


class RefusedFile(InputError):
    """A file that cannot be used, with its finding as the message."""

    def __init__(self, finding: Finding):
        super().__init__(finding)
        self.finding = finding

    def __str__(self) -> str:
        return self.finding.sentence


def refusal(file: str | Path, reason: str, remedy: str) -> RefusedFile:
    """The error that refuses a file."""
    return RefusedFile(refused(file, reason, remedy))


def refused(file: str | Path, reason: str, remedy: str) -> Finding:
    """A finding that refuses a file."""
    return Finding(Path(file), "refused", reason, remedy)


def undecided(file: str | Path, reason: str, remedy: str) -> Finding:
    """A finding that only the owner of the cohort can settle."""
    return Finding(Path(file), "undecided", reason, remedy)


def doubtful(file: str | Path, reason: str, remedy: str) -> Finding:
    """A finding that asks somebody to look at a file."""
    return Finding(Path(file), "doubtful", reason, remedy)


def finding_of(error: InputError, file: Path) -> Finding:
    """The finding that an error about `file` carries, or that its sentence `FILE reason: remedy.` states."""
    if isinstance(error, RefusedFile):
        return error.finding
    reason, _, remedy = str(error).removeprefix(str(file)).strip().rpartition(": ")
    return refused(file, reason, remedy.removesuffix("."))


def raise_first_refusal(findings: Iterable[Finding]) -> None:
    """Raise RefusedFile for the first finding that refuses a file, if there is one."""
    for finding in findings:
        if finding.severity == "refused":
            raise RefusedFile(finding)


def find_empty_masks(table: pd.DataFrame, masks: Mapping[str, Path]) -> list[Finding]:
    """Masks without any tumour in a cohort whose other scans have one: often a lost or failed annotation.

    table: a row a subject with `subject` and `tumour_volume_mm3`, as `check_subjects` gives it; masks: the file of each
    subject's mask. Returns a doubtful finding a mask; none if no scan has a tumour.
    """
    empty = table["tumour_volume_mm3"] == 0
    carriers = int((~empty).sum())
    if not carriers:
        return []
    reason = f"marks no tumour, but the masks of {carriers} of the {len(table)} scans do"
    remedy = "look whether the annotation was lost, or leave the scan out; it gives no slices"
    return [doubtful(masks[subject], reason, remedy) for subject in table.loc[empty, "subject"]]


def find_duplicates(digests: Mapping[str, str], files: Mapping[str, Path]) -> list[Finding]:
    """Subjects whose images have the same voxels as an earlier subject's.

    digests: `image_digest` of each subject; files: the file to name for each. Returns a refusal for every subject but
    the first of those that are the same: the split could put the two on both sides.
    """
    first: dict[str, str] = {}
    findings = []
    for subject, digest in digests.items():
        original = first.setdefault(digest, subject)
        if original != subject:
            reason = f"belongs to a scan whose images have the same voxels as those of {files[original]}"
            findings.append(
                refused(files[subject], reason, "keep one of the two scans, so that no patient counts twice")
            )
    return findings

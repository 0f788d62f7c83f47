"""Findings: everything that is wrong, or may be wrong, with a file of a cohort, each with its remedy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Severity = Literal["refused", "doubtful"]


@dataclass(frozen=True)
class Finding:
    """A fault of a file. With `refused` its subject cannot be used; with `doubtful` it can, and somebody should look.

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


def refused(file: str | Path, reason: str, remedy: str) -> Finding:
    """A finding that refuses a file."""
    return Finding(Path(file), "refused", reason, remedy)

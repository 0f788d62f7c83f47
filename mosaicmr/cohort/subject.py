"""Subjects: the files of a scan under pseudonyms, as the jobs of the workflow are given them."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class Subject:
    """One imaging session of one patient.

    subject, patient, group: pseudonyms; the only names that may reach an output. group: empty where the cohort states
    none. shard: empty until `assign_shards`. images: file of each modality, in the order the modalities were asked for.
    labels: the segmentation. channels: index on the fourth axis of each modality, for files that hold several.
    """

    subject: str
    patient: str
    images: dict[str, Path]
    labels: Path
    shard: str = ""
    group: str = ""
    channels: dict[str, int] = field(default_factory=dict)

    @property
    def files(self) -> list[Path]:
        """All files of the subject, each once: its images, then its segmentation."""
        return list(dict.fromkeys((*self.images.values(), self.labels)))

    def record(self) -> dict[str, Any]:
        """The subject as JSON holds it."""
        images = {modality: str(file) for modality, file in self.images.items()}
        return asdict(self) | {"images": images, "labels": str(self.labels)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The subject that `record` describes."""
        images = {modality: Path(file) for modality, file in record["images"].items()}
        return cls(**{**record, "images": images, "labels": Path(record["labels"])})


def pseudonym(letter: str, name: str) -> str:
    """A letter and eight hexadecimal digits for a name; upper and lower case are one name."""
    return letter + digest(name.casefold())[:8]


def digest(text: str) -> str:
    """SHA-256 of a text, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()

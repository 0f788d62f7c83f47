"""Sources of subjects: a folder in BraTS naming, or the phantom's names; and their pseudonyms and shards.

Two namings are known, each with its own modality suffixes:

- 2013 to 2021: `BraTS2021_01484_t1ce.nii.gz`, `BraTS20_Training_001_seg.nii`, `Brats18_2013_11_1_flair.nii.gz`;
- 2023 and 2024: `BraTS-GLI-00005-100-t1c.nii.gz`.

This module reads names only, never an image, because the workflow calls it each time it is parsed.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mosaicmr.cohort.labels import CUSTOM
from mosaicmr.errors import InputError

FOLDER_DEPTH = 4  # a cohort folder may hold a folder with HGG/ and LGG/, and each of them a folder a subject


@dataclass(frozen=True)
class Naming:
    """A convention of file names: the subjects it matches, its words for modalities, the label schemes it allows."""

    years: str
    subject: re.Pattern
    timepoint: re.Pattern
    separator: str
    suffixes: dict[str, str]
    label_schemes: tuple[str, ...]


NAMINGS = (
    Naming(
        years="2013-2021",
        subject=re.compile(r"brats\d*(_[a-z0-9]+)*_[a-z]*\d+", re.IGNORECASE),
        # Four parts, as in Brats18_2013_11_1: the last is a timepoint. BraTS20_Training_001 has none.
        timepoint=re.compile(r"(?P<patient>[^_]+_[^_]+_[^_]+)_\d+"),
        separator="_",
        suffixes={"FLAIR": "flair", "T1": "t1", "T1ce": "t1ce", "T2": "t2", "seg": "seg"},
        label_schemes=("brats2021",),
    ),
    Naming(
        years="2023-2024",
        subject=re.compile(r"brats-[a-z]+-\d+-\d+", re.IGNORECASE),
        timepoint=re.compile(r"(?P<patient>.+)-\d+"),
        separator="-",
        suffixes={"FLAIR": "t2f", "T1": "t1n", "T1ce": "t1c", "T2": "t2w", "seg": "seg"},
        label_schemes=("brats2023", "brats2024-gli"),
    ),
)
PHANTOM_NAMING = NAMINGS[0]

# Label values of the other challenges differ from year to year under the same names (paediatric: 2023 and 2024).
TASKS = {"brats2023": ("GLI", "SSA", "MEN", "MET"), "brats2024-gli": ("GLI",)}


@dataclass(frozen=True)
class Subject:
    """One imaging session of one patient.

    subject, patient: pseudonyms; the only names that may reach an output. shard: empty until `assign_shards`.
    images: file of each modality, in the order the modalities were asked for. labels: the segmentation. channels: the
    index on a fourth axis, of modalities whose file holds several.
    """

    subject: str
    patient: str
    images: dict[str, Path]
    labels: Path
    shard: str = ""
    channels: dict[str, int] = field(default_factory=dict)

    @property
    def files(self) -> list[Path]:
        """All files of the subject: its images, then its segmentation."""
        return [*self.images.values(), self.labels]


def find_subjects(folder: str | Path | None, modalities: Sequence[str], label_scheme: str) -> list[Subject]:
    """Find the subjects of a cohort folder by their file names, sorted by pseudonym.

    Raises InputError if the folder is missing or holds no subject, if a subject lacks a file, if two files claim to be
    the same, or if the naming contradicts `label_scheme`.
    """
    if folder is None:
        raise InputError("cohort_dir is null: name the folder of the cohort, or set cohort.source to 'phantom'.")
    if not Path(folder).is_dir():
        raise InputError(f"cohort_dir '{folder}' is not a folder: name the folder that holds the BraTS subjects.")
    subjects = subjects_of_files(_walk(str(folder), FOLDER_DEPTH), modalities, label_scheme)
    if not subjects:
        raise InputError(
            f"cohort_dir '{folder}' holds no subject in BraTS naming: expected files such as "
            "BraTS2021_00001/BraTS2021_00001_flair.nii.gz or BraTS-GLI-00001-000/BraTS-GLI-00001-000-t2f.nii.gz."
        )
    return subjects


def phantom_subjects(
    folder: str | Path, patients: int, modalities: Sequence[str], label_scheme: str = "brats2021"
) -> list[Subject]:
    """The subjects of the phantom cohort from their names alone; the files need not exist yet."""
    files = [file for patient in phantom_patients(patients) for file in phantom_files(folder, patient).values()]
    return subjects_of_files(map(str, files), modalities, label_scheme)


def phantom_patients(patients: int) -> list[str]:
    """Names of the simulated patients, in BraTS 2021 naming but with a letter that no real subject has."""
    return [f"BraTS2021_P{number:04d}" for number in range(1, patients + 1)]


def phantom_files(folder: str | Path, patient: str) -> dict[str, Path]:
    """The files of one simulated patient, by modality, with its segmentation as `seg`."""
    return {
        name: Path(folder) / patient / f"{patient}_{suffix}.nii.gz" for name, suffix in PHANTOM_NAMING.suffixes.items()
    }


def subjects_of_files(files: Iterable[str | Path], modalities: Sequence[str], label_scheme: str) -> list[Subject]:
    """Group files into subjects by their names alone, sorted by pseudonym; files of other names are ignored.

    A folder may stand among `files`: if it is named like a subject, that subject is expected to be complete.
    Raises InputError as `find_subjects` does.
    """
    groups: dict[str, dict[str, str]] = {}
    namings: dict[str, Naming] = {}
    for file in map(str, files):
        match = _match(os.path.basename(file))
        if match is None:
            continue
        name, suffix, naming = match
        namings.setdefault(name, naming)
        group = groups.setdefault(name, {})
        if suffix in group:
            raise InputError(f"{group[suffix]} and {file} claim to be the same image: keep one of them.")
        group[suffix] = file
    for name in sorted(groups):
        _check_scheme(name, namings[name], label_scheme)
    subjects = [_subject(name, groups[name], namings[name], modalities) for name in sorted(groups)]
    _check_pseudonyms(subjects)
    return sorted(subjects, key=lambda subject: subject.subject)


def subjects_of_shard(
    files: Iterable[str | Path], modalities: Sequence[str], label_scheme: str, shard: str
) -> list[Subject]:
    """The subjects of one shard from the files that the workflow gives its job."""
    return [replace(subject, shard=shard) for subject in subjects_of_files(files, modalities, label_scheme)]


def assign_shards(
    subjects: Sequence[Subject], subjects_per_shard: int, max_shards: int = 32
) -> dict[str, list[Subject]]:
    """Distribute subjects over shards; returns the shards that are not empty, in order.

    A shard of more than `subjects_per_shard` subjects is split in two by the next bit of a hash of the patient, as long
    as `max_shards` (rounded down to a power of two) allows; beyond that, shards grow. So a patient who joins or leaves
    changes a single shard, which may split or take in its other half. All timepoints of a patient share a shard.
    """
    return dict(sorted(_split_shard(subjects, 1, subjects_per_shard, max_shards.bit_length() - 1)))


def _split_shard(subjects: Sequence[Subject], node: int, most: int, splits: int) -> Iterator[tuple[str, list[Subject]]]:
    """The shards below a node of the binary tree of hash bits; the children of `node` are 2 node and 2 node + 1."""
    if len(subjects) > most and splits > 0:
        halves: tuple[list[Subject], list[Subject]] = ([], [])
        for subject in subjects:
            bits = int(_digest(f"shard {subject.patient}"), 16)
            halves[bits >> (node.bit_length() - 1) & 1].append(subject)
        for bit, half in enumerate(halves):
            yield from _split_shard(half, 2 * node + bit, most, splits - 1)
    elif subjects:
        name = f"{node:04d}"
        yield name, [replace(subject, shard=name) for subject in subjects]


def _walk(folder: str, depth: int) -> Iterable[str]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        yield entry.path
        if depth > 1 and entry.is_dir():
            yield from _walk(entry.path, depth - 1)


def _match(name: str) -> tuple[str, str, Naming] | None:
    """The subject, the suffix ('' for a subject's folder) and the naming of a file or folder name."""
    stem = name.removesuffix(".gz").removesuffix(".nii")
    for naming in NAMINGS:
        if stem == name:
            subject, suffix = name, ""
        else:
            subject, _, suffix = stem.rpartition(naming.separator)
            suffix = suffix.lower()
        if naming.subject.fullmatch(subject) and (not suffix or suffix in naming.suffixes.values()):
            return subject, suffix, naming
    return None


def _check_scheme(name: str, naming: Naming, label_scheme: str) -> None:
    if label_scheme == CUSTOM:
        return
    if label_scheme not in naming.label_schemes:
        raise InputError(
            f"{name} is named as in {naming.years}, which contradicts cohort.label_scheme '{label_scheme}': "
            f"expected {' or '.join(naming.label_schemes)}."
        )
    tasks = TASKS.get(label_scheme)
    if tasks and name.split("-")[1].upper() not in tasks:
        raise InputError(
            f"{name} belongs to a challenge whose labels cohort.label_scheme '{label_scheme}' does not describe: "
            f"expected subjects of {', '.join(tasks)}; keep the others in a folder of their own."
        )


def _subject(name: str, files: dict[str, str], naming: Naming, modalities: Sequence[str]) -> Subject:
    for wanted in (*modalities, "seg"):
        if naming.suffixes[wanted] not in files:
            what = "segmentation" if wanted == "seg" else f"modality {wanted}"
            file = f"{name}{naming.separator}{naming.suffixes[wanted]}.nii.gz"
            raise InputError(
                f"{name} lacks its {what}, the file {file}: add it, or remove the subject"
                + ("." if wanted == "seg" else " or the modality from cohort.modalities.")
            )
    timepoint = naming.timepoint.fullmatch(name)
    patient = timepoint["patient"] if timepoint else name
    return Subject(
        subject="S" + _digest(name.casefold())[:8],
        patient="P" + _digest(patient.casefold())[:8],
        images={modality: Path(files[naming.suffixes[modality]]) for modality in modalities},
        labels=Path(files["seg"]),
    )


def _check_pseudonyms(subjects: Sequence[Subject]) -> None:
    seen: dict[str, Subject] = {}
    for subject in subjects:
        other = seen.setdefault(subject.subject, subject)
        if other is not subject:
            raise InputError(f"{subject.labels} and {other.labels} share the pseudonym {subject.subject}: rename one.")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

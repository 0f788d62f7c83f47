"""Scans in the naming of the BraTS challenges.

Two namings are known, each with its own modality suffixes; upper case and other common suffixes are read too:

- 2013 to 2021: `BraTS2021_01484_t1ce.nii.gz`, `BraTS20_Training_001_seg.nii`, `Brats18_2013_11_1_flair.nii.gz`;
- 2023 and 2024: `BraTS-GLI-00005-100-t1c.nii.gz`.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mosaicmr.cohort.labels import LABEL_SCHEMES
from mosaicmr.scans.findings import Finding, refused, undecided
from mosaicmr.sources.scans import (
    LABELS,
    Entry,
    Listing,
    Scan,
    lacking,
    list_entries,
    modality_of,
    same_image,
    split_ending,
)

FOLDER_DEPTH = 4  # a cohort folder may hold a folder with HGG/ and LGG/, and each of them a folder a subject
EXAMPLE = "BraTS2021_00001/BraTS2021_00001_flair.nii.gz or BraTS-GLI-00001-000/BraTS-GLI-00001-000-t2f.nii.gz"
PATTERN = "a patient is a BraTS name without its timepoint"


@dataclass(frozen=True)
class Naming:
    """A convention of file names: the subjects it matches, its words for modalities, the label schemes it allows.

    timepoint: names that end in a number of the scan. certain: names of which the challenge itself says whether they
    do; the others only look like it.
    """

    years: str
    subject: re.Pattern
    timepoint: re.Pattern
    certain: re.Pattern
    separator: str
    suffixes: dict[str, str]
    label_schemes: tuple[str, ...]


NAMINGS = (
    Naming(
        years="2013-2021",
        subject=re.compile(r"brats\d*(_[a-z0-9]+)*_[a-z]*\d+", re.IGNORECASE),
        # Four parts, as in Brats18_2013_11_1: the last is a timepoint. BraTS20_Training_001 has none.
        timepoint=re.compile(r"(?P<patient>[^_]+_[^_]+_[^_]+)_\d+"),
        certain=re.compile(
            r"brats\d*_(p?\d{3,}|(training|validation|testing)_\d+|(2013|cbica|tcia\d*|tmc|mda|uab|washu)_[a-z0-9]+_\d+)",
            re.IGNORECASE,
        ),
        separator="_",
        suffixes={"FLAIR": "flair", "T1": "t1", "T1ce": "t1ce", "T2": "t2", LABELS: "seg"},
        label_schemes=("brats2021",),
    ),
    Naming(
        years="2023-2024",
        subject=re.compile(r"brats-[a-z]+-\d+-\d+", re.IGNORECASE),
        timepoint=re.compile(r"(?P<patient>.+)-\d+"),
        certain=re.compile(r".*"),
        separator="-",
        suffixes={"FLAIR": "t2f", "T1": "t1n", "T1ce": "t1c", "T2": "t2w", LABELS: "seg"},
        label_schemes=("brats2023", "brats2024-gli"),
    ),
)
OLD_NAMING = NAMINGS[0]

# Label values of the other challenges differ from year to year under the same names (paediatric: 2023 and 2024).
TASKS = {"brats2023": ("GLI", "SSA", "MEN", "MET"), "brats2024-gli": ("GLI",)}


@dataclass
class _Group:
    """The files of one subject so far, by modality or LABELS."""

    name: str
    naming: Naming
    place: str
    files: dict[str, str] = field(default_factory=dict)


def list_brats(
    folder: str | Path, modalities: Sequence[str], label_scheme: str, channels: Mapping[str, str]
) -> Listing:
    """The scans of a folder in BraTS naming, sorted by name.

    channels: the user's own suffixes, by modality. Findings: two files for one image, what a subject lacks, folders
    that cannot be read, and names that contradict `label_scheme`.
    """
    entries, findings = list_entries(str(folder), FOLDER_DEPTH)
    groups: dict[str, _Group] = {}
    for entry in entries:
        findings += _add(entry, groups, channels)
    ordered = [groups[name] for name in sorted(groups)]
    scans = [_scan(group, modalities) for group in ordered]
    for scan, group in zip(scans, ordered, strict=True):
        findings += lacking(scan, modalities, lambda wanted, group=group: f"the file {_file(group, wanted, channels)}")
    findings += _check_scheme(ordered, label_scheme)
    return Listing(scans, findings, PATTERN)


def _add(entry: Entry, groups: dict[str, _Group], channels: Mapping[str, str]) -> Iterator[Finding]:
    """Add a file or folder to its group; a folder named like a subject makes a group that must then be complete."""
    match = _match(entry, channels)
    if match is None:
        return
    name, wanted, naming = match
    place = entry.path if entry.is_folder and not wanted else os.path.dirname(entry.path)
    group = groups.setdefault(name.casefold(), _Group(name, naming, place))
    if not wanted:
        return
    path = entry.path
    if entry.is_folder:
        inside, unreadable = list_entries(path, 1)
        yield from unreadable
        if len(inside) != 1 or inside[0].is_folder or not split_ending(inside[0].name)[1].startswith(".nii"):
            reason = f"is a folder named like an image that holds {len(inside)} files"
            yield refused(path, reason, "leave one NIfTI file in it, or put the image itself in its place")
            return
        path = inside[0].path
    if wanted in group.files:
        yield same_image(group.files[wanted], path)
    group.files.setdefault(wanted, path)


def _match(entry: Entry, channels: Mapping[str, str]) -> tuple[str, str, Naming] | None:
    """The subject, the modality or LABELS ('' for a subject's folder), and the naming of a file or folder."""
    stem, ending = split_ending(entry.name)
    for naming in NAMINGS:
        if not ending:
            if entry.is_folder and naming.subject.fullmatch(entry.name):
                return entry.name, "", naming
        elif ending.startswith(".nii"):
            subject, _, suffix = stem.rpartition(naming.separator)
            wanted = LABELS if suffix.casefold() == "seg" else modality_of(suffix, channels)
            if wanted and naming.subject.fullmatch(subject):
                return subject, wanted, naming
    return None


def _scan(group: _Group, modalities: Iterable[str]) -> Scan:
    timepoint = group.naming.timepoint.fullmatch(group.name)
    return Scan(
        name=group.name,
        patient=timepoint["patient"] if timepoint else group.name,
        images={modality: group.files[modality] for modality in modalities if modality in group.files},
        labels=group.files.get(LABELS),
        place=group.place,
        certain=group.naming.certain.fullmatch(group.name) is not None,
    )


def _file(group: _Group, wanted: str, channels: Mapping[str, str]) -> str:
    """The name that a file of a subject should have."""
    suffix = channels.get(wanted, group.naming.suffixes[wanted])
    return f"{group.name}{group.naming.separator}{suffix}.nii.gz"


def _check_scheme(groups: Sequence[_Group], label_scheme: str) -> Iterator[Finding]:
    """At most one finding on names whose labels, by their year, the scheme does not describe.

    The names alone do not prove the labels, so the remedy sends nobody to another scheme without a look at them. A
    scheme of the user's own states the values itself and fits all names.
    """
    if label_scheme not in LABEL_SCHEMES:
        return
    others = [group for group in groups if label_scheme not in group.naming.label_schemes]
    if others:
        reason = (
            f"is named as in {others[0].naming.years}{_and_more(others)}, which contradicts cohort.label_scheme "
            f"'{label_scheme}' (expected {' or '.join(others[0].naming.label_schemes)})"
        )
        remedy = (
            "look which labels the segmentations hold (4 is enhancing tumour in brats2021 and a resection cavity in "
            "brats2024-gli) and choose the scheme that they follow, or list them in cohort.classes as custom"
        )
        yield undecided(others[0].place, reason, remedy)
        return
    tasks = TASKS.get(label_scheme)
    others = [group for group in groups if tasks and group.name.split("-")[1].upper() not in tasks]
    if others:
        reason = (
            f"belongs to a challenge{_and_more(others)} whose labels cohort.label_scheme '{label_scheme}' does not "
            f"describe (expected subjects of {', '.join(tasks)})"
        )
        remedy = "keep it in a folder of its own, or list its labels in cohort.classes as custom"
        yield undecided(others[0].place, reason, remedy)


def _and_more(groups: Sequence[_Group]) -> str:
    return f", like {len(groups) - 1} more," if len(groups) > 1 else ""

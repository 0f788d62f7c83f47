"""Scans under their owner's names: folders listed without what no cohort means, endings, and words for modalities."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mosaicmr.scans.findings import Finding, refused, undecided

ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
# Beside hidden files: folders that an unpacked archive of a Mac or a Synology disk leaves behind.
PASSED_OVER = ("__macosx", "@eadir")
LABELS = "labels"

# Words for the modalities, in small letters and digits alone.
WORDS = {
    "FLAIR": ("flair", "t2f", "t2flair", "t2wflair", "flairw"),
    "T1": ("t1", "t1w", "t1n", "t1native", "t1pre"),
    "T1ce": (
        "t1ce",
        "t1c",
        "t1gd",
        "t1wce",
        "t1wc",
        "t1wgd",
        "t1cew",
        "t1post",
        "t1gado",
        "t1gadolinium",
        "t1contrast",
    ),
    "T2": ("t2", "t2w"),
}


@dataclass(frozen=True)
class Scan:
    """A scan as its owner names it.

    name: of the scan; patient: as the names or a table say; certain: whether a convention or a table, not a guess, says
    so. images: the file of each modality found; labels: the segmentation, or None. place: the folder or table to look
    at when something is missing. channels: as in `Subject`.
    """

    name: str
    patient: str
    images: Mapping[str, str]
    labels: str | None
    place: str
    certain: bool = False
    group: str = ""
    channels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """The scans that a source found, the findings on its names, and how it tells the patients, in words."""

    scans: list[Scan]
    findings: list[Finding]
    pattern: str


@dataclass(frozen=True)
class Entry:
    """A file or a folder of a cohort."""

    path: str
    is_folder: bool

    @property
    def name(self) -> str:
        """The last part of the path."""
        return os.path.basename(self.path)


def list_entries(folder: str, depth: int, skip: Sequence[str] = ()) -> tuple[list[Entry], list[Finding]]:
    """All files and folders below a folder, `depth` levels deep, sorted, without hidden ones and those of PASSED_OVER.

    skip: names of folders to pass over, too. A folder that is named like an image (as Kaggle unpacks them) is listed,
    and its content is not. Folders that cannot be read become findings.
    """
    entries: list[Entry] = []
    findings: list[Finding] = []
    try:
        found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        reason = f"cannot be listed ({error.strerror})"
        return [], [refused(folder, reason, "give yourself the right to read it, or move it out of the cohort")]
    for entry in found:
        if is_passed_over(entry.name) or entry.name in skip:
            continue
        entries.append(Entry(entry.path, entry.is_dir()))
        if depth > 1 and entry.is_dir() and not split_ending(entry.name)[1]:
            below = list_entries(entry.path, depth - 1, skip)
            entries += below[0]
            findings += below[1]
    return entries, findings


def is_passed_over(name: str) -> bool:
    """Whether a file or folder is none of the cohort's: hidden, or left behind by an archive."""
    return name.startswith(".") or name.casefold() in PASSED_OVER


def split_ending(name: str) -> tuple[str, str]:
    """A file name without its ending, and the ending in small letters; empty where it is none of ENDINGS."""
    for ending in ENDINGS:
        if name.casefold().endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)], ending
    return name, ""


def modality_of(word: str, channels: Mapping[str, str]) -> str | None:
    """The modality that a word of a file name, a column or a channel means; None if it means none.

    channels: the user's own word for some modalities; for these no other word counts.
    """
    for modality, own in channels.items():
        if own.casefold() == word.casefold():
            return modality
    plain = re.sub(r"[^a-z0-9]", "", word.casefold())
    return next((name for name, words in WORDS.items() if plain in words and name not in channels), None)


def lacking(scan: Scan, modalities: Iterable[str], example: Callable[[str], str]) -> list[Finding]:
    """The findings on what a scan lacks. example: the place where a modality, or LABELS, is expected, in words."""
    findings = []
    for modality in modalities:
        if modality not in scan.images:
            reason = f"lacks the modality {modality} of {scan.name}, {example(modality)}"
            remedy = "add it, or take the scan out of the cohort, or the modality out of cohort.modalities"
            findings.append(refused(scan.place, reason, remedy))
    if scan.labels is None:
        reason = f"lacks the segmentation of {scan.name}, {example(LABELS)}"
        findings.append(refused(scan.place, reason, "add it, or take the scan out of the cohort"))
    return findings


def same_image(first: str, second: str) -> Finding:
    """The finding on two files for the same image of the same scan."""
    return undecided(first, f"and {second} claim to be the same image", "keep one of them")

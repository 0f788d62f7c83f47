"""Scans of a BIDS dataset (https://bids-specification.readthedocs.io): a scan is a subject, or a session of one.

Names are parsed by ancpbids. Its whole index is not used: every process of a run lists the data set, and listing alone
costs less.
"""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ancpbids.utils import parse_bids_name

from mosaicmr.errors import InputError
from mosaicmr.scans.findings import Finding, undecided
from mosaicmr.sources.scans import LABELS, Listing, Scan, lacking, list_entries, split_ending

EXAMPLE = "sub-01/anat/sub-01_FLAIR.nii.gz and derivatives/NAME/sub-01/anat/sub-01_label-lesion_mask.nii.gz"
PATTERN = "a patient is a subject of BIDS"
FOLDER_DEPTH = 7  # derivatives/NAME/sub-01/ses-1/anat and a spare level
SKIPPED = ("sourcedata", "code", "stimuli")

SUFFIXES = {"FLAIR": "FLAIR", "T1": "T1w", "T1ce": "ce-gadolinium_T1w", "T2": "T2w"}
MASK_SUFFIXES = ("mask", "dseg", "seg", "lesions")
# Labels or descriptions of masks that show no lesion: brain masks and tissues.
HEALTHY = re.compile(r"brain|head|gm|wm|csf|l|r|wholebrain|aparc.*|aseg.*|tissue.*", re.IGNORECASE)


@dataclass(frozen=True)
class _File:
    """A file of BIDS naming. path: relative to the dataset, with '/'."""

    path: str
    entities: dict[str, str]
    suffix: str
    derived: bool

    @property
    def scan(self) -> tuple[str, str]:
        """The subject and the session; empty where there is none."""
        return self.entities.get("sub", ""), self.entities.get("ses", "")


def list_bids(folder: str | Path, modalities: Sequence[str], channels: Mapping[str, str], masks: str | None) -> Listing:
    """The scans of a BIDS dataset that have one of the modalities or a mask, sorted by name.

    channels: for some modalities, the end of the names to use (`acq-mprage_T1w`), or a pattern as `masks` is. masks: a
    pattern of paths relative to the folder with `{subject}` and, for several sessions, `{session}`; None: every lesion
    mask of the dataset. Findings: several files for one image, what a scan lacks. Raises InputError on a bad pattern.
    """
    entries, findings = list_entries(str(folder), FOLDER_DEPTH, SKIPPED)
    files = []
    for entry in entries:
        if not entry.is_folder and split_ending(entry.name)[1]:
            files += _parse(os.path.relpath(entry.path, folder).replace(os.sep, "/"))
    wanted = {modality: _find_images(files, modality, channels.get(modality)) for modality in modalities}
    wanted[LABELS] = _match_pattern(files, masks, "cohort.masks") if masks else _find_masks(files)
    keys = {key for found in wanted.values() for key in found}
    sessions = Counter(subject for subject, session in keys if session)
    scans = []
    for key in sorted(keys):
        subject, session = key
        if not session and sessions[subject]:
            continue
        chosen: dict[str, str] = {}
        for what, found in wanted.items():
            # A file without a session, of a subject that has a single one, can be of no other.
            paths = found.get(key) or (found.get((subject, ""), []) if sessions[subject] == 1 else [])
            if len(paths) > 1:
                findings.append(_too_many(folder, what, paths))
            if paths:
                chosen[what] = os.path.join(folder, paths[0])
        scan = _scan(folder, key, chosen)
        scans.append(scan)
        findings += lacking(scan, modalities, lambda what, key=key: _expected(key, what, channels, masks))
    return Listing(scans, findings, PATTERN)


def _parse(path: str) -> list[_File]:
    """The file at a path, or nothing if its name is none of BIDS."""
    parsed = parse_bids_name(split_ending(os.path.basename(path))[0] + ".nii")
    if parsed is None or "sub" not in parsed["entities"]:
        return []
    entities = parsed["entities"]
    # ancpbids cuts a value at its second dash, so that ses-pre-1 and ses-pre-2 would be one.
    for part in split_ending(os.path.basename(path))[0].split("_")[:-1]:
        name, _, value = part.partition("-")
        entities[name] = value
    return [_File(path, entities, parsed["suffix"], "derivatives" in path.split("/")[:-1])]


def _find_images(files: Sequence[_File], modality: str, own: str | None) -> dict[tuple[str, str], list[str]]:
    """The files of a modality by scan: those of the user's word or pattern, else those of BIDS' own suffix."""
    if own and ("/" in own or "{" in own):
        return _match_pattern(files, own, f"cohort.channels.{modality}")
    *wanted, suffix = (own or SUFFIXES[modality]).split("_")
    entities = dict(part.split("-", 1) for part in wanted if "-" in part)
    if not own and modality == "T1ce":
        entities = {"ce": ""}
    found: dict[tuple[str, str], list[str]] = {}
    for file in files:
        if file.derived or file.suffix.casefold() != suffix.casefold():
            continue
        # An image with contrast agent is no other image without it.
        if all(value in ("", file.entities.get(key)) and key in file.entities for key, value in entities.items()) and (
            "ce" in entities or "ce" not in file.entities
        ):
            found.setdefault(file.scan, []).append(file.path)
    return found


def _find_masks(files: Sequence[_File]) -> dict[tuple[str, str], list[str]]:
    """The files by scan that look like masks of lesions, in derivatives or beside the images."""
    found: dict[tuple[str, str], list[str]] = {}
    for file in files:
        words = [file.entities[key] for key in ("label", "desc") if key in file.entities]
        if file.suffix.casefold() in MASK_SUFFIXES and not any(HEALTHY.fullmatch(word) for word in words):
            found.setdefault(file.scan, []).append(file.path)
    return found


def _match_pattern(files: Sequence[_File], pattern: str, key: str) -> dict[tuple[str, str], list[str]]:
    """The files by scan whose paths match a pattern of the user's."""
    expression = pattern_expression(pattern, key)
    found: dict[tuple[str, str], list[str]] = {}
    for file in files:
        match = expression.fullmatch(file.path)
        if match:
            scan = (match["subject"], match.groupdict().get("session") or file.scan[1])
            found.setdefault(scan, []).append(file.path)
    return found


def pattern_expression(pattern: str, key: str) -> re.Pattern:
    """The regular expression of a pattern of paths.

    `*` and `?` stand for letters of one folder or file name, `**/` for any folders, `{subject}` and `{session}` for the
    value of a BIDS entity, the same wherever it is repeated. Raises InputError if `{subject}` is missing, or if there
    are other braces.
    """
    parts, seen = [], set()
    for part in re.findall(r"\*\*/|\*|\?|\{\w*\}|.", pattern):
        if part in ("{subject}", "{session}"):
            name = part[1:-1]
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>[^/_]+)")
            seen.add(name)
        elif part.startswith(("{", "}")):
            raise InputError(f"{key} is '{pattern}': expected no braces but {{subject}} and {{session}}; correct it.")
        else:
            parts.append({"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}.get(part) or re.escape(part))
    if "subject" not in seen:
        raise InputError(
            f"{key} is '{pattern}': expected {{subject}} in it, as in "
            "derivatives/lesions/sub-{subject}/**/*_mask.nii.gz; add it."
        )
    return re.compile("".join(parts))


def _scan(folder: str | Path, key: tuple[str, str], chosen: Mapping[str, str]) -> Scan:
    subject, session = key
    return Scan(
        name=f"sub-{subject}" + (f"_ses-{session}" if session else ""),
        patient=f"sub-{subject}",
        images={what: path for what, path in chosen.items() if what != LABELS},
        labels=chosen.get(LABELS),
        place=str(folder),
        certain=True,
    )


def _too_many(folder: str | Path, what: str, paths: Sequence[str]) -> Finding:
    reason = f"and {', '.join(paths[1:])} all fit {'the segmentation' if what == LABELS else f'the modality {what}'}"
    keys = {LABELS: "a pattern in cohort.masks, such as derivatives/NAME/sub-{subject}/**/*_mask.nii.gz"}
    own = f"the end of the wanted name under cohort.channels, such as {{{what}: acq-mprage_{SUFFIXES.get(what, '')}}}"
    return undecided(Path(folder, paths[0]), reason, f"choose by {keys.get(what, own)}")


def _expected(key: tuple[str, str], what: str, channels: Mapping[str, str], masks: str | None) -> str:
    """The file of a scan that should be there, in words."""
    name = f"sub-{key[0]}" + (f"_ses-{key[1]}" if key[1] else "")
    if what == LABELS:
        return (
            f"a file such as {masks}"
            if masks
            else f"a file such as derivatives/NAME/**/{name}_label-lesion_mask.nii.gz"
        )
    return f"a file such as {name}_{channels.get(what, SUFFIXES[what])}.nii.gz"

"""Scans in nnU-Net's raw layout, and those of the Medical Segmentation Decathlon (MSD), which it grew from.

`dataset.json` names channels and labels (`channel_names` in version 2, `modality` in version 1 and MSD). A case has a
file a channel (`imagesTr/CASE_0000.nii.gz`) and a segmentation (`labelsTr/CASE.nii.gz`); with MSD, a single file
(`imagesTr/CASE.nii.gz`) has the channels on a fourth axis.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mosaicmr.cohort.labels import LABEL_SCHEMES
from mosaicmr.errors import InputError
from mosaicmr.scans.findings import Finding, undecided
from mosaicmr.sources.scans import (
    ENDINGS,
    LABELS,
    Listing,
    Scan,
    lacking,
    list_entries,
    modality_of,
    same_image,
    split_ending,
)

EXAMPLE = "dataset.json, imagesTr/CASE_0000.nii.gz and labelsTr/CASE.nii.gz"
DATASET = "dataset"  # the label_scheme of a cohort whose dataset.json names its labels
PATTERN = "each case of nnU-Net counts as a patient"
_CHANNEL = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})")

# Words in the name of a label that say which class of the base model it looks like; the first that fits. The core that
# does not enhance contains the word for the one that does.
_LIKE = (
    ("cavity", re.compile(r"cavity|resection|\brc\b")),
    ("necrosis", re.compile(r"necro|non ?enhanc|\bnetc?\b|\bncr\b|\bcore\b")),
    ("enhancing", re.compile(r"enhanc|\bet\b|contrast|\bgd\b")),
    ("oedema", re.compile(r"o?edema|\bed\b|snfh|flair|peritumou?r|infiltrat")),
)
_MOST_LETTERS = 24  # of a name, and 40 of its words: config/schema.yaml
_TAKEN = re.compile(r"whole|mean|background|healthy.*")  # names that domains and tables have for something else


@dataclass(frozen=True)
class DatasetLabels:
    """The classes of dataset.json, as `cohort.classes` lists them, and the names of those whose likeness is a guess."""

    classes: list[dict[str, Any]]
    guessed: list[str]

    @property
    def sentence(self) -> str:
        """The classes in one sentence; it says which likeness nobody stated."""
        words = "; ".join(f"{', '.join(map(str, each['values']))} is {each['name']}" for each in self.classes)
        if not self.guessed:
            return f"Labels of dataset.json: {words}."
        return (
            f"Labels of dataset.json: {words}; {', '.join(self.guessed)} is taken to look like oedema, as its name "
            "does not say (cohort.label_scheme custom with cohort.classes states it)."
        )


def list_nnunet(
    folder: str | Path, modalities: Sequence[str], label_scheme: str, channels: Mapping[str, str]
) -> Listing:
    """The cases of a raw nnU-Net or MSD dataset, sorted by name.

    channels: the user's own words for channels, by modality. Findings: two files for one image, what a case lacks, and
    a label that a public `label_scheme` reads as something else than dataset.json says. Raises InputError if
    dataset.json is missing or damaged, or names no channel for one of the modalities.
    """
    folder = Path(folder)
    dataset = read_dataset(folder)
    numbers = _channel_numbers(folder, dataset, modalities, channels)
    several = len(_channel_names(folder, dataset)) > 1
    _check_ending(folder, dataset)
    labels, findings = _files_by_stem(folder / "labelsTr")
    images, more = _files_by_stem(folder / "imagesTr")
    findings += [*more, *_check_scheme(folder, label_scheme)]
    files: dict[str, dict[int, str]] = {stem: {} for stem in labels}
    volumes: dict[str, str] = {}
    for stem, path in images.items():
        match = _CHANNEL.fullmatch(stem)
        if match is None or stem in labels:
            volumes[stem] = path
            files.setdefault(stem, {})
        else:
            files.setdefault(match["case"], {})[int(match["channel"])] = path
    scans = []
    for case in sorted(files):
        whole = volumes.get(case)
        found = {m: whole or files[case].get(n) for m, n in numbers.items() if whole or n in files[case]}
        scan = Scan(
            name=case,
            patient=case,
            images=found,
            labels=labels.get(case),
            place=str(folder),
            channels=numbers if whole and several else {},
        )
        scans.append(scan)
        findings += lacking(scan, modalities, lambda wanted, case=case: _expected(case, wanted, numbers))
    return Listing(scans, findings, PATTERN)


def read_dataset(folder: str | Path) -> dict[str, Any]:
    """The content of dataset.json. Raises InputError if it is missing or no JSON object."""
    path = Path(folder) / "dataset.json"
    try:
        dataset = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        inner = sorted(str(other.parent) for other in Path(folder).glob("*/dataset.json"))
        remedy = f"point cohort_dir at one of them, such as {inner[0]}" if inner else f"expected {EXAMPLE}"
        found = f"but {len(inner)} of its folders do" if inner else "which nnU-Net's raw layout has"
        raise InputError(f"cohort_dir '{folder}' holds no dataset.json, {found}: {remedy}.") from error
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read as JSON ({reason}): correct the file.") from error
    if not isinstance(dataset, dict):
        raise InputError(
            f"{path} holds no JSON object: expected channel_names, labels and file_ending; correct the file."
        )
    return dataset


def read_labels(folder: str | Path) -> DatasetLabels:
    """The classes that dataset.json names, by rising value, without background and the ignore label.

    A class looks like the class of the base model that its name speaks of, else like oedema, the least specific. The
    ignore label is no class, so that a file that has it is refused when it is read: nobody knows what such a voxel is.
    Raises InputError if there are no labels, or if they are regions.
    """
    path = Path(folder) / "dataset.json"
    by_value: dict[int, str] = {}
    for name, value in _label_values(path, read_dataset(folder)):
        if value and name.casefold() != "ignore" and by_value.setdefault(value, name) != name:
            raise InputError(f"{path} calls the label {value} both '{by_value[value]}' and '{name}': keep one.")
    if not by_value:
        raise InputError(f'{path} names no label beside background: expected such as {{"lesion": 1}}; add it.')
    classes, guessed = [], []
    for value, name in sorted(by_value.items()):
        words = re.sub(r"[^A-Za-z0-9-]+", " ", name).strip()[:40] or f"label {value}"
        words = words if words[0].isalpha() else f"label {words}"[:40]
        like = next((like for like, pattern in _LIKE if pattern.search(words.casefold().replace("-", " "))), None)
        short = re.sub(r"[^a-z0-9]+", "_", words.casefold()).strip("_")[:_MOST_LETTERS]
        short = f"label_{value}" if _TAKEN.fullmatch(short) else short
        if like is None:
            guessed.append(short)
        classes.append({"name": short, "values": [value], "words": words, "like": like or "oedema"})
    return DatasetLabels(classes, guessed)


def _label_values(path: Path, dataset: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The name and value of each label, in either version: `{"1": "edema"}` or `{"edema": 1}`."""
    labels = dataset.get("labels")
    if not isinstance(labels, dict):
        raise InputError(f'{path} has no \'labels\': expected such as {{"background": 0, "lesion": 1}}; add them.')
    for key, value in labels.items():
        if isinstance(value, list | tuple):
            raise InputError(
                f"{path} defines the label '{key}' as a region of the values {', '.join(map(str, value))}: expected a "
                "value of its own for each label; list the values in cohort.classes with cohort.label_scheme custom."
            )
        name, number = (key, value) if not str(key).lstrip("-").isdigit() else (value, key)
        if not str(number).isdigit():
            raise InputError(
                f"{path} gives the label '{name}' the value '{number}': expected a whole number; correct it."
            )
        yield str(name), int(number)


def _channel_names(folder: Path, dataset: Mapping[str, Any]) -> dict[int, str]:
    """The names of the channels by their number."""
    names = dataset.get("channel_names", dataset.get("modality"))
    if not isinstance(names, dict) or not names or not all(str(key).isdigit() for key in names):
        raise InputError(
            f"{folder / 'dataset.json'} has no usable 'channel_names' (nor 'modality'): expected such as "
            '{"0": "FLAIR", "1": "T1"}; add them.'
        )
    return {int(number): str(name) for number, name in names.items()}


def _channel_numbers(
    folder: Path, dataset: Mapping[str, Any], modalities: Sequence[str], channels: Mapping[str, str]
) -> dict[str, int]:
    """The number of the channel of each modality, in the order of the modalities."""
    names = _channel_names(folder, dataset)
    numbers = {}
    for modality in modalities:
        own = channels.get(modality, "")
        fitting = [number for number, name in names.items() if modality_of(name, channels) == modality]
        fitting = fitting or [number for number in names if own.isdigit() and int(own) == number]
        if len(fitting) != 1:
            listed = ", ".join(f"{number} '{name}'" for number, name in sorted(names.items()))
            raise InputError(
                f"{folder / 'dataset.json'} has the channels {listed}, {'several' if fitting else 'none'} for "
                f"{modality}: "
                f'name its channel, or the number of it, under cohort.channels, such as {{{modality}: "0"}}, or leave '
                f"{modality} out of cohort.modalities."
            )
        numbers[modality] = fitting[0]
    return numbers


def _check_ending(folder: Path, dataset: Mapping[str, Any]) -> None:
    ending = dataset.get("file_ending", ".nii.gz")
    if str(ending).casefold() not in ENDINGS:
        raise InputError(
            f"{folder / 'dataset.json'} has the file_ending '{ending}': expected one of {', '.join(ENDINGS)}; convert "
            "the images to volumes of these formats."
        )


def _files_by_stem(folder: Path) -> tuple[dict[str, str], list[Finding]]:
    """The image files of a folder by their names without ending. Raises InputError if there is no such folder."""
    if not folder.is_dir():
        raise InputError(f"cohort_dir '{folder.parent}' holds no folder {folder.name}: expected {EXAMPLE}.")
    entries, findings = list_entries(str(folder), 1)
    files: dict[str, str] = {}
    for entry in entries:
        stem, ending = split_ending(entry.name)
        if entry.is_folder or not ending:
            continue
        if stem in files:
            findings.append(same_image(files[stem], entry.path))
        files.setdefault(stem, entry.path)
    return files, findings


def _check_scheme(folder: Path, label_scheme: str) -> Iterator[Finding]:
    """A finding if a public scheme reads a label as something else than its name in dataset.json."""
    if label_scheme not in LABEL_SCHEMES:
        return
    for each in read_labels(folder).classes:
        (value,) = each["values"]
        read = LABEL_SCHEMES[label_scheme].get(value)
        if read is None or read.name != each["like"]:
            meaning = f"reads as {read.words}" if read else "does not have"
            reason = f"calls the label {value} '{each['words']}', which cohort.label_scheme '{label_scheme}' {meaning}"
            remedy = f"set cohort.label_scheme to {DATASET}, or to custom with cohort.classes"
            yield undecided(folder / "dataset.json", reason, remedy)
            return


def _expected(case: str, wanted: str, numbers: Mapping[str, int]) -> str:
    """The file of a case that should be there, in words."""
    return f"the file {'labelsTr/' + case if wanted == LABELS else f'imagesTr/{case}_{numbers[wanted]:04d}'}.nii.gz"

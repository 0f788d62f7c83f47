"""Sources of subjects: a folder of a known layout, or the phantom's names; found by names alone.

No image is read, because the workflow calls this each time it is parsed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from mosaicmr.cohort.subject import Subject, pseudonym
from mosaicmr.errors import InputError
from mosaicmr.scans.findings import Finding, undecided
from mosaicmr.sources import brats_files, nnunet_files, table_files
from mosaicmr.sources.patients import apply_patients, describe_patients, find_doubts
from mosaicmr.sources.safe_paths import check_path
from mosaicmr.sources.scans import Entry, Listing, Scan, list_entries, split_ending

EXAMPLES = {
    "brats": f"files in BraTS naming, such as {brats_files.EXAMPLE}",
    "nnunet": f"nnU-Net's raw layout, such as {nnunet_files.EXAMPLE}",
    "bids": "a BIDS dataset, such as sub-01/anat/sub-01_FLAIR.nii.gz with masks under derivatives/",
}


@dataclass(frozen=True)
class SourceSettings:
    """How a cohort's folder is read; the keys of the section `cohort` in the configuration.

    source: brats, nnunet, bids or table. channels: the user's own words, by modality. masks: for bids, the pattern of
    the segmentations, or None. table: for table, the CSV file in the folder. patients: path of the table of scans and
    patients, or None.
    """

    source: str = "brats"
    channels: Mapping[str, str] = field(default_factory=dict)
    masks: str | None = None
    table: str = "cohort.csv"
    patients: str | None = None

    @classmethod
    def from_config(cls, cohort: Mapping[str, Any]) -> Self:
        """The settings in the section `cohort` of the configuration."""
        return cls(**{each.name: cohort[each.name] for each in fields(cls)})


@dataclass(frozen=True)
class Found:
    """The subjects of a cohort that are complete, sorted by pseudonym, and all findings on its names.

    patients: each scan's patient, by the names of their owner, for the cohort report alone. left_out: the number of
    scans that are no subjects, because they lack a file or have a path that is refused. sentence: the number of
    patients, and how they were told.
    """

    subjects: list[Subject]
    findings: list[Finding]
    patients: dict[str, str]
    left_out: int
    sentence: str

    def require(self, skip: bool = False) -> list[Subject]:
        """The subjects; raises InputError on the first finding that refuses something.

        skip: go on without scans that are refused. What is undecided, or leaves no scan, ends the run even so.
        """
        ends = {"undecided"} if skip and self.subjects else {"undecided", "refused"}
        found = [finding for finding in self.findings if finding.severity in ends]
        if not found:
            return self.subjects
        more = f" (and {len(found) - 1} more: run the target check_cohort)" if len(found) > 1 else ""
        raise InputError(f"{found[0].sentence.removesuffix('.')}{more}.")


def find_subjects(
    folder: str | Path | None, modalities: Sequence[str], label_scheme: str, settings: SourceSettings | None = None
) -> Found:
    """Find the subjects of a cohort folder by names alone.

    label_scheme: its name; names that contradict it become a finding. Raises InputError if the folder is missing, holds
    nothing that the source could read, or holds a file that describes it and is unusable; all else is in the findings.
    """
    settings = settings or SourceSettings()
    if folder is None:
        raise InputError("cohort_dir is null: name the folder of the cohort, or set cohort.source to 'phantom'.")
    if not Path(folder).is_dir():
        absolute = Path(folder).absolute()
        where = "" if Path(folder).is_absolute() else f" (relative to Snakemake's working directory: {absolute})"
        raise InputError(f"cohort_dir '{folder}' is not a folder{where}: name the folder that holds the cohort.")
    listing = _list_scans(folder, modalities, label_scheme, settings)
    if not listing.scans and not listing.findings:
        raise InputError(_nothing_found(folder, settings.source))
    return _found(listing, folder, modalities, settings)


def phantom_subjects(folder: str | Path, patients: int, modalities: Sequence[str]) -> list[Subject]:
    """The subjects of the phantom cohort from their names alone; the files need not exist yet."""
    scans = []
    for patient in phantom_patients(patients):
        files = {name: str(file) for name, file in phantom_files(folder, patient).items()}
        labels = files.pop("seg")
        images = {modality: files[modality] for modality in modalities}
        scans.append(Scan(patient, patient, images, labels, str(folder)))
    return sorted(map(_subject, scans), key=lambda subject: subject.subject)


def phantom_patients(patients: int) -> list[str]:
    """Names of the simulated patients, in BraTS 2021 naming but with a letter that no real subject has."""
    return [f"BraTS2021_P{number:04d}" for number in range(1, patients + 1)]


def phantom_files(folder: str | Path, patient: str) -> dict[str, Path]:
    """The files of one simulated patient, by modality, with its segmentation as `seg`."""
    suffixes = {"FLAIR": "flair", "T1": "t1", "T1ce": "t1ce", "T2": "t2", "seg": "seg"}
    return {name: Path(folder) / patient / f"{patient}_{suffix}.nii.gz" for name, suffix in suffixes.items()}


def _list_scans(folder: str | Path, modalities: Sequence[str], label_scheme: str, settings: SourceSettings) -> Listing:
    if settings.source == "nnunet":
        return nnunet_files.list_nnunet(folder, modalities, label_scheme, settings.channels)
    if settings.source == "bids":
        # Here, because it imports a package that no other source needs, which takes a third of a second.
        from mosaicmr.sources.bids_files import list_bids

        return list_bids(folder, modalities, settings.channels, settings.masks)
    if settings.source == "table":
        return table_files.list_table(folder, settings.table, modalities, settings.channels)
    return brats_files.list_brats(folder, modalities, label_scheme, settings.channels)


def _unsafe_path(scan: Scan) -> Finding | None:
    found = map(check_path, [*scan.images.values(), scan.labels])
    return next((finding for finding in found if finding), None)


def _found(listing: Listing, folder: str | Path, modalities: Sequence[str], settings: SourceSettings) -> Found:
    """The subjects of the scans that lack nothing, under pseudonyms, and all findings."""
    scans, findings, pattern = listing.scans, [*listing.findings], listing.pattern
    if settings.patients is not None:
        scans, more = apply_patients(scans, settings.patients)
        findings += more
        pattern = f"as {settings.patients} says"
    elif settings.source != "table":
        findings += find_doubts(scans, folder)
    findings += _shared_files(scans)
    complete = [scan for scan in scans if scan.labels and all(modality in scan.images for modality in modalities)]
    unsafe = {scan.name: _unsafe_path(scan) for scan in complete}
    findings += [finding for finding in unsafe.values() if finding]
    complete = [scan for scan in complete if not unsafe[scan.name]]
    subjects: dict[str, Subject] = {}
    for scan in complete:
        subject = _subject(scan)
        if subjects.setdefault(subject.subject, subject) is not subject:
            reason = f"and {subjects[subject.subject].labels} are of scans whose names give the same pseudonym"
            findings.append(undecided(subject.labels, reason, "rename one of the scans"))
    return Found(
        sorted(subjects.values(), key=lambda subject: subject.subject),
        findings,
        {scan.name: scan.patient for scan in scans},
        len({scan.name for scan in listing.scans} - {scan.name for scan in complete}),
        describe_patients(scans, pattern),
    )


def _subject(scan: Scan) -> Subject:
    return Subject(
        subject=pseudonym("S", scan.name),
        patient=pseudonym("P", scan.patient),
        images={modality: Path(file) for modality, file in scan.images.items()},
        labels=Path(scan.labels),
        group=pseudonym("G", scan.group) if scan.group else "",
        channels=dict(scan.channels),
    )


def _shared_files(scans: Sequence[Scan]) -> list[Finding]:
    """The findings on files that several scans claim, or that are image and segmentation at once."""
    owners: dict[str, str] = {}
    findings = []
    for scan in scans:
        for file in {*scan.images.values(), *([scan.labels] if scan.labels else [])}:
            if owners.setdefault(file, scan.name) != scan.name:
                reason = f"belongs to the scans {owners[file]} and {scan.name}"
                findings.append(undecided(file, reason, "give each scan its own files"))
        if scan.labels in scan.images.values():
            reason = f"is an image and the segmentation of {scan.name} at once"
            findings.append(undecided(scan.labels, reason, "name another file for one of them"))
        if not scan.channels and len(set(scan.images.values())) < len(scan.images):
            reason = f"has one file for several modalities of {scan.name}"
            findings.append(undecided(scan.place, reason, "name a file for each modality"))
    return findings


def _nothing_found(folder: str | Path, source: str) -> str:
    """The sentence on a folder in which a source finds nothing, with the source that could, if there is one."""
    other = _guess_source(folder)
    if other and other != source:
        return (
            f"cohort_dir '{folder}' holds no scan for cohort.source {source}, but looks made for {other}: set "
            f"cohort.source to {other}."
        )
    entries, _ = list_entries(str(folder), 3)
    if any(entry.name.casefold().endswith((".dcm", ".ima")) for entry in entries):
        return f"cohort_dir '{folder}' holds DICOM files: expected {EXAMPLES[source]}; convert them, as dcm2niix does."
    images = [entry for entry in entries if not entry.is_folder and split_ending(entry.name)[1]]
    remedy = "rename the files, or list them in a table (cohort.source table)"
    return f"cohort_dir '{folder}' holds {_examples(images)}: expected {EXAMPLES[source]}; {remedy}."


def _examples(images: Sequence[Entry]) -> str:
    return f"no scan by its names ({images[0].name}, ...)" if images else "no image (.nii.gz, .nii, .nrrd or .mha)"


def _guess_source(folder: str | Path) -> str | None:
    """The source that a folder looks made for; None if it looks like none."""
    folder = Path(folder)
    if (folder / "dataset.json").is_file() and (folder / "imagesTr").is_dir():
        return "nnunet"
    if any(folder.glob("sub-*")):
        return "bids"
    return "table" if (folder / "cohort.csv").is_file() else None

"""Scans of a table that the user writes: a row a scan, with its patient and the path of every file.

patient,scan,FLAIR,T1ce,labels,group
anna,anna_2019,anna/2019/flair.nii.gz,anna/2019/t1_gd.nii.gz,anna/2019/tumour.nii.gz,hospital A
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mosaicmr.errors import InputError
from mosaicmr.scans.findings import Finding, refused, undecided
from mosaicmr.sources.patients import read_table
from mosaicmr.sources.scans import LABELS, Listing, Scan, lacking, modality_of

PATTERN = "as the table says"
LABEL_COLUMNS = ("labels", "label", "seg", "segmentation", "mask")


def list_table(folder: str | Path, table: str, modalities: Sequence[str], channels: Mapping[str, str]) -> Listing:
    """The scans of a table, in its order.

    table: path of the CSV file, relative to the folder; the paths in it are relative to the CSV file's own folder.
    channels: the user's own column names, by modality. Findings: an empty cell, a file that does not exist, a scan
    that stands in two rows. Raises InputError if the table or a column is missing.
    """
    path = Path(folder) / table
    rows = read_table(path, "cohort.table")
    columns = _columns(path, rows, modalities, channels)
    scans: dict[str, Scan] = {}
    findings: list[Finding] = []
    for number, row in enumerate(rows, start=1):
        name, patient = row[columns["scan"]], row[columns["patient"]]
        if not name or not patient:
            reason = f"has no scan or no patient in its row {number} of scans"
            findings.append(refused(path, reason, "fill both in, or remove the row"))
            continue
        if name.casefold() in scans:
            reason = f"has two rows of the scan '{name}'"
            findings.append(undecided(path, reason, "give each scan a name of its own"))
            continue
        files = {
            what: os.path.join(path.parent, row[columns[what]]) for what in (*modalities, LABELS) if row[columns[what]]
        }
        group = row[columns["group"]] if "group" in columns else ""
        scan = Scan(
            name=name,
            patient=patient,
            images={what: file for what, file in files.items() if what != LABELS and os.path.isfile(file)},
            labels=files.get(LABELS) if os.path.isfile(files.get(LABELS, "")) else None,
            place=str(path),
            certain=True,
            group=group,
        )
        scans[name.casefold()] = scan
        findings += lacking(scan, modalities, lambda what, files=files: _expected(columns[what], files.get(what)))
    return Listing(list(scans.values()), findings, PATTERN)


def _columns(
    path: Path, rows: Sequence[Mapping[str, str]], modalities: Sequence[str], channels: Mapping[str, str]
) -> dict[str, str]:
    """The names of the columns by their meaning: scan, patient, LABELS, the modalities and, if there is one, group."""
    if not rows:
        raise InputError(f"cohort.table '{path}' has no scans: expected a row of column names, then a row a scan.")
    columns: dict[str, str] = {}
    for name in rows[0]:
        word = name.casefold()
        meaning = modality_of(name, channels) or (LABELS if word in LABEL_COLUMNS else word)
        if meaning in columns and meaning in ("scan", "patient", "group", LABELS, *modalities):
            raise InputError(
                f"cohort.table '{path}' has the columns '{columns[meaning]}' and '{name}' for {meaning}: keep one."
            )
        columns.setdefault(meaning, name)
    for meaning in ("patient", "scan", *modalities, LABELS):
        if meaning not in columns:
            remedy = (
                f", or name it under cohort.channels, such as {{{meaning}: my_{meaning}}}"
                if meaning in modalities
                else ""
            )
            raise InputError(
                f"cohort.table '{path}' has the columns {', '.join(rows[0])}, but none for {meaning}: expected "
                f"{','.join(('patient', 'scan', *modalities, LABELS))}; add it{remedy}."
            )
    return columns


def _expected(column: str, file: str | None) -> str:
    """The cell that should name a file, in words."""
    return f"'{file}' of its column {column}, which is no file" if file else f"the cell in its column {column}"

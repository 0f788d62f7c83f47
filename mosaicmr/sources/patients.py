"""Patients of scans: from the user's table, or from names; and names too doubtful to go by.

All scans of a patient must go to the same part of the split, so a guess that may be wrong is asked about.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mosaicmr.errors import InputError
from mosaicmr.scans.findings import Finding, refused, undecided
from mosaicmr.sources.scans import Scan

# Names that differ only in their end may be scans of one patient. Where the ends look like no sessions, and there are
# more names than this to each common beginning, on average, the beginning is that of a site or of the whole cohort.
MOST_SCANS = 4
_CUT = re.compile(r"[_\-. ]+|(?<=\d)(?=[A-Za-z]$)")
_SESSION = re.compile(
    r"(\d{1,2}|(19|20)\d\d(\d\d){0,2}|[a-z]|(ses|session|visit|scan|tp|timepoint|time|pre|post|preop|postop|baseline|bl|fu|followup|day|week|"
    r"month|year|run|[vtdwmy])([_\-. ]?\d+)?)([_\-. ].*)?",
    re.IGNORECASE,
)
_SHOWN = 3


def read_table(path: str | Path, key: str) -> list[dict[str, str]]:
    """The rows of a CSV file by their column names, both without space around them; a line that is empty is none.

    Columns may be separated by commas, semicolons or tabs. key: the key of the configuration that names the file.
    Raises InputError if it is no such file, if two columns have a name in common, or a row has more cells than columns.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise InputError(f"{key} '{path}' cannot be read ({reason}): name a CSV file of columns with names.") from error
    separator = max(",;\t", key=lines[0].count) if lines else ","
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator)]
    columns = rows[0] if rows else []
    for column in columns:
        if column and columns.count(column) > 1:
            raise InputError(f"{key} '{path}' has two columns called '{column}': rename one.")
    for row in rows[1:]:
        if len(row) > len(columns):
            raise InputError(
                f"{key} '{path}' has a row of {len(row)} cells under {len(columns)} columns ('{separator.join(row)}'): "
                "put cells that hold the separator in quotes."
            )
    return [dict(zip(columns, row + [""] * (len(columns) - len(row)), strict=True)) for row in rows[1:] if any(row)]


def apply_patients(scans: Sequence[Scan], path: str | Path) -> tuple[list[Scan], list[Finding]]:
    """Give scans the patients and groups of the user's table: columns `scan`, `patient` and, if wanted, `group`.

    Returns the scans of the table, all certain, and a finding a scan that it lacks. Raises InputError as `read_table`
    does, if a column or a cell is missing, or if a scan stands in it twice.
    """
    table: dict[str, tuple[str, str]] = {}
    for row in read_table(path, "cohort.patients"):
        if "scan" not in row or "patient" not in row:
            found = ", ".join(row)
            raise InputError(
                f"cohort.patients '{path}' has the columns {found}: expected scan, patient and maybe group."
            )
        if not row["scan"] or not row["patient"]:
            raise InputError(f"cohort.patients '{path}' has a row without scan or patient: fill it in, or remove it.")
        entry = (row["patient"], row.get("group", ""))
        if table.setdefault(row["scan"].casefold(), entry) != entry:
            raise InputError(
                f"cohort.patients '{path}' gives the scan '{row['scan']}' two patients or groups: keep one."
            )
    known, findings = [], []
    for scan in scans:
        if scan.name.casefold() in table:
            patient, group = table[scan.name.casefold()]
            known.append(replace(scan, patient=patient, group=group, certain=True))
        else:
            reason = f"holds the scan '{scan.name}', which cohort.patients '{path}' lacks"
            findings.append(refused(scan.place, reason, f"add the line '{scan.name},PATIENT' to that table"))
    return known, findings


def find_doubts(scans: Sequence[Scan], folder: str | Path) -> list[Finding]:
    """The finding on names that do not say for sure which scans are of one patient; none where they do."""
    together: dict[str, list[str]] = {}
    for scan in scans:
        together.setdefault(scan.patient, []).append(scan.name)
    if len(scans) > 1 and len(together) == 1:
        names = next(iter(together.values()))
        return [_ask(folder, "seems to hold scans of a single patient, with", {name: name for name in names})]
    uncertain = {scan.name for scan in scans if not scan.certain}
    for patient, names in together.items():
        if len(names) > 1 and not uncertain.isdisjoint(names):
            return [_ask(folder, "holds", dict.fromkeys(names, patient))]
    family = _find_family(sorted(uncertain))
    return [_ask(folder, "holds", family)] if family else []


def describe_patients(scans: Sequence[Scan], pattern: str) -> str:
    """One sentence on how many patients there are, and how they were told."""
    patients = len({scan.patient.casefold() for scan in scans})
    scan_words = f"{len(scans)} scan" + ("s" if len(scans) != 1 else "")
    return f"The cohort has {scan_words} of {patients} patient{'s' if patients != 1 else ''} ({pattern})."


def _find_family(names: Sequence[str]) -> dict[str, str]:
    """The first names that share a beginning which looks like a patient's, with it; none where no beginning does."""
    cuts = {name: [match.start() for match in _CUT.finditer(name) if match.start()] for name in names}
    for depth in range(max(map(len, cuts.values()), default=0)):
        families: dict[str, list[str]] = {}
        for name in names:
            if len(cuts[name]) > depth:
                families.setdefault(name[: cuts[name][depth]], []).append(name)
        for stem, family in families.items():
            if len(family) > 1 and _is_like_patient(stem, family, families):
                return dict.fromkeys(family, stem)
    return {}


def _is_like_patient(stem: str, family: Sequence[str], families: Mapping[str, Sequence[str]]) -> bool:
    """Whether a beginning that the names of a family share may be a patient's.

    A number in it speaks for that, and so do ends that look like sessions. A single beginning with numbers as ends is
    how cohorts are numbered.
    """
    ends = [name[len(stem) :].lstrip("_-. ") for name in family]
    sessions = all(_SESSION.fullmatch(end) for end in ends)
    numbered = any(character.isdigit() for character in stem)
    if len(families) == 1:
        return numbered and sessions and not all(end.isdigit() for end in ends)
    few = sum(map(len, families.values())) <= MOST_SCANS * len(families)
    return (numbered and sessions) or (few and (numbered or sessions))


def _ask(folder: str | Path, verb: str, patients: Mapping[str, str]) -> Finding:
    """The finding that asks for a table, with its first lines. patients: a guess at the patient of each scan."""
    shown = list(patients)[:_SHOWN]
    reason = f"{verb} names such as {' and '.join(shown)}, which may be scans of one patient or of several"
    lines = ", ".join(f"'{line}'" for line in ("scan,patient", *(f"{name},{patients[name]}" for name in shown)))
    remedy = f"say which in a CSV file with a line for every scan, such as {lines}, and name it in cohort.patients"
    return undecided(folder, reason, remedy)

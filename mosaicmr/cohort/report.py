"""The report on a cohort, before any compute: what was found in its names and files, and what becomes of each scan.

It names files, so that they can be mended; it stays with the cohort and is no part of what a run gives away.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from mosaicmr.cohort.check import as_row, tabulate_findings
from mosaicmr.cohort.label_advice import explain_labels
from mosaicmr.cohort.subject import Subject, pseudonym
from mosaicmr.errors import InputError
from mosaicmr.scans.findings import (
    ACCEPTED,
    DOUBTFUL,
    INCOMPLETE,
    REFUSED,
    UNDECIDED,
    Finding,
    find_duplicates,
    find_empty_masks,
)

PRINTED = 20  # findings; the table has all of them
REFUSE, SKIP = "refuse", "skip"  # cohort.incomplete
OF_A_CHECK = ["verdict", "labels", "voxels"]  # columns that no later stage reads


def judge_cohort(
    rows: pd.DataFrame, findings: pd.DataFrame, subjects: Sequence[Subject], of_names: Iterable[Finding] = ()
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare the subjects with each other, and give each its verdict.

    rows, findings: of `check_subjects`, all shards. of_names: findings of planning, on scans that are no subjects.
    Returns both tables with what only the whole cohort shows: scans that are there twice, masks that are empty.
    """
    masks = {subject.subject: subject.labels for subject in subjects}
    known = rows[rows["voxels"] != ""]
    own = {str(file): subject for subject, file in masks.items()}
    more = find_duplicates(known.set_index("subject")["voxels"].to_dict(), masks)
    more += find_empty_masks(rows[rows["tumour_volume_mm3"].notna()], masks)
    found = [as_row(own[str(finding.file)], finding) for finding in more]
    found += [as_row("", finding) for finding in of_names]
    findings = pd.concat([findings, tabulate_findings(found)], ignore_index=True)
    worst = {
        subject: REFUSED if (group["severity"] == REFUSED).any() else DOUBTFUL
        for subject, group in findings.groupby("subject")
    }
    return rows.assign(verdict=rows["subject"].map(worst).fillna(ACCEPTED)), findings


def accepted_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the subjects that later stages use, without the columns that only the report has."""
    return rows[rows["verdict"] != REFUSED].drop(columns=OF_A_CHECK).reset_index(drop=True)


def tabulate_verdicts(rows: pd.DataFrame, left_out: int) -> pd.DataFrame:
    """The verdict on each scan, without the name of a file: columns subject and verdict.

    left_out: the number of scans that are no subjects, because they lack a file; each has a row with the verdict
    INCOMPLETE and no pseudonym.
    """
    incomplete = pd.DataFrame({"subject": "", "verdict": [INCOMPLETE] * left_out}, dtype="str")
    return pd.concat([rows[["subject", "verdict"]], incomplete], ignore_index=True)


def tabulate_scans(rows: pd.DataFrame, subjects: Sequence[Subject], patients: Mapping[str, str]) -> pd.DataFrame:
    """A row a scan: its name, patient and segmentation as their owner calls them, its pseudonyms and its verdict.

    patients: the patient of each scan by its name, as names or the user's tables say. A corrected copy of this table
    serves as `cohort.patients`.
    """
    names = {pseudonym("S", scan): scan for scan in patients}
    files = {subject.subject: str(subject.labels) for subject in subjects}
    groups = {subject.subject: subject.group for subject in subjects}
    scans = rows["subject"].map(names)
    return pd.DataFrame(
        {
            "scan": scans,
            "patient": scans.map(dict(patients)),
            "segmentation": rows["subject"].map(files),
            "scan_pseudonym": rows["subject"],
            "patient_pseudonym": rows["patient"],
            "group_pseudonym": rows["subject"].map(groups),
            "verdict": rows["verdict"],
            "labels": rows["labels"],
            "tumour_ml": (rows["tumour_volume_mm3"] / 1000).round(2),
        }
    )


def describe_cohort(rows: pd.DataFrame, findings: pd.DataFrame, table: str) -> list[str]:
    """The report in sentences: the verdicts, the first findings, and what the label schemes make of the labels.

    table: the file that has all findings.
    """
    count = Counter(rows["verdict"])
    lines = [
        f"{len(rows)} scans of {rows['patient'].nunique()} patients: {count[ACCEPTED]} accepted, {count[DOUBTFUL]} "
        f"doubtful, {count[REFUSED]} refused; {len(findings)} findings, all in {table}."
    ]
    worst_first = findings.sort_values("severity", key=lambda column: column == DOUBTFUL, kind="stable")
    for row in worst_first.head(PRINTED).itertuples():
        lines.append(f"{row.severity}: {row.file} {row.reason}: {row.remedy}.")
    if len(findings) > PRINTED:
        lines.append(f"... and {len(findings) - PRINTED} more.")
    values = Counter(float(value) for labels in rows["labels"] for value in labels.split())
    return lines + explain_labels(values).sentences


def require_complete(verdicts: pd.DataFrame, findings: pd.DataFrame, incomplete: str, table: str) -> None:
    """Raise InputError if something is undecided, or a scan is refused and the configuration says not to skip it.

    verdicts: of `tabulate_verdicts`. incomplete: REFUSE or SKIP. findings: of `judge_cohort`; table: their file.
    """
    undecided = findings[findings["severity"] == UNDECIDED]
    refused = undecided if incomplete == SKIP else findings[findings["severity"] != DOUBTFUL]
    if refused.empty:
        return
    first, more = (refused if undecided.empty else undecided).iloc[0], len(refused) - 1
    also = f" ({more} more in {table})" if more else ""
    if not undecided.empty:
        raise InputError(f"{first['file']} {first['reason']}{also}: {first['remedy']}.")
    scans = int(verdicts["verdict"].isin([REFUSED, INCOMPLETE]).sum())
    raise InputError(
        f"{scans} scan{'s' * (scans != 1)} cannot be used, {first['file']} {first['reason']}{also}: "
        f"{first['remedy']}, or set cohort.incomplete to skip."
    )

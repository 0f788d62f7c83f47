"""The report on a cohort, before any compute: what was found in its names and files, and what becomes of each scan.

It names files, so that they can be mended; it stays with the cohort and is no part of what a run gives away.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from mosaicmr.cohort.check import as_row, tabulate_findings
from mosaicmr.cohort.label_advice import explain_labels
from mosaicmr.cohort.subject import Subject
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


def tabulate_verdicts(rows: pd.DataFrame, findings: pd.DataFrame) -> pd.DataFrame:
    """The verdict on each scan, without the name of a file: columns subject and verdict.

    A scan that lacks a file is no subject; it has a row with the verdict INCOMPLETE and no pseudonym.
    """
    lacking = findings[(findings["subject"] == "") & (findings["severity"] != DOUBTFUL)]
    incomplete = pd.DataFrame({"subject": "", "verdict": [INCOMPLETE] * lacking["file"].nunique()}, dtype="str")
    return pd.concat([rows[["subject", "verdict"]], incomplete], ignore_index=True)


def tabulate_scans(rows: pd.DataFrame, subjects: Sequence[Subject]) -> pd.DataFrame:
    """A row a scan: its segmentation's file, its pseudonyms, its verdict, its labels and its tumour in ml.

    Scans with the same pseudonym of a patient are taken to be of one patient.
    """
    files = {subject.subject: str(subject.labels) for subject in subjects}
    groups = {subject.subject: subject.group for subject in subjects}
    return pd.DataFrame(
        {
            "segmentation": rows["subject"].map(files),
            "subject": rows["subject"],
            "patient": rows["patient"],
            "group": rows["subject"].map(groups),
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


def require_complete(findings: pd.DataFrame, incomplete: str, table: str) -> None:
    """Raise InputError if a scan is refused and the configuration does not say to go on without it.

    incomplete: REFUSE or SKIP. findings: of `judge_cohort`; table: the file that has them.
    """
    ends = [UNDECIDED] if incomplete == SKIP else [UNDECIDED, REFUSED]
    refused = findings[findings["severity"].isin(ends)]
    if refused.empty:
        return
    first = refused.iloc[0]
    more = len(refused) - 1
    also = f" ({more} more in {table})" if more else ""
    unnamed = refused["subject"] == ""  # findings on names, each of another scan
    scans = refused.loc[~unnamed, "subject"].nunique() + refused.loc[unnamed, "file"].nunique()
    raise InputError(
        f"{scans} scan{'s' * (scans != 1)} cannot be used, {first['file']} {first['reason']}{also}: "
        f"{first['remedy']}, or set cohort.incomplete to skip."
    )

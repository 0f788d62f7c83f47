"""The report names all that is wrong with a cohort, in one call, and says what becomes of each scan."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mosaicmr.cohort.check import check_subjects
from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.report import (
    accepted_rows,
    describe_cohort,
    judge_cohort,
    require_complete,
    tabulate_scans,
    tabulate_verdicts,
)
from mosaicmr.errors import InputError
from mosaicmr.scans.findings import ACCEPTED, DOUBTFUL, REFUSED, doubtful, refused
from mosaicmr.sources.subjects import find_subjects
from tests.support.scans import SHAPE, make_volumes, write_nifti, write_scan

SCHEME = LabelScheme.named("brats2021")
MODALITIES = ["FLAIR", "T1ce"]
NAME = "BraTS2021_{:05d}"


@pytest.fixture
def cohort(tmp_path):
    """Four scans: sound, a file cut short and a damaged one, a lost annotation, a copy of the first."""
    for number in range(1, 5):
        seed = 1 if number == 4 else number
        image, labels = make_volumes(seed)
        if number == 3:
            labels = np.zeros(SHAPE, np.uint8)
        files = write_scan(tmp_path, NAME.format(number), MODALITIES, image, labels)
        write_nifti(files["T1ce"], 2 * image)
    for suffix in ("flair", "t1ce"):
        file = tmp_path / NAME.format(2) / f"{NAME.format(2)}_{suffix}.nii.gz"
        file.write_bytes(file.read_bytes()[:-20])
    subjects = find_subjects(tmp_path, MODALITIES, "brats2021").subjects
    rows, findings, pictures = check_subjects(subjects, SCHEME)
    return subjects, pictures, *judge_cohort(rows, findings, subjects)


def verdict(subjects, rows, number):
    (subject,) = [one.subject for one in subjects if NAME.format(number) in str(one.labels)]
    return rows.set_index("subject").loc[subject, "verdict"]


def test_every_scan_has_its_verdict_and_every_damaged_file_its_finding(cohort):
    subjects, pictures, rows, findings = cohort
    twins = {verdict(subjects, rows, 1), verdict(subjects, rows, 4)}
    assert twins == {ACCEPTED, REFUSED}
    assert (verdict(subjects, rows, 2), verdict(subjects, rows, 3)) == (REFUSED, DOUBTFUL)
    damaged = findings[findings["file"].str.contains(NAME.format(2))]
    assert len(damaged) == 2 and (damaged["severity"] == REFUSED).all()
    assert findings["remedy"].str.len().min() > 0
    assert sum(picture is None for picture in pictures) == 1


def test_later_stages_get_the_accepted_and_the_doubtful_only(cohort):
    _, _, rows, _ = cohort
    accepted = accepted_rows(rows)
    assert len(accepted) == 2 and accepted["tumour_volume_mm3"].notna().all()
    assert not {"verdict", "labels", "voxels"} & set(accepted.columns)


def test_the_run_ends_with_one_sentence_or_goes_on_as_the_configuration_says(cohort):
    _, _, rows, findings = cohort
    verdicts = tabulate_verdicts(rows, 0)
    expected = r"^2 scans cannot be used, .*\(2 more in findings.csv\): .*set cohort.incomplete"
    with pytest.raises(InputError, match=expected):
        require_complete(verdicts, findings, "refuse", "findings.csv")
    require_complete(verdicts, findings, "skip", "findings.csv")
    require_complete(verdicts, findings[findings["severity"] != REFUSED], "refuse", "findings.csv")


def test_what_is_undecided_ends_the_run_even_where_scans_are_skipped(cohort):
    _, _, rows, findings = cohort
    undecided = pd.concat([findings, findings.tail(1).assign(severity="undecided", reason="is odd", remedy="say")])
    with pytest.raises(InputError, match=r"seg.nii.gz is odd: say\.$"):
        require_complete(tabulate_verdicts(rows, 0), undecided, "skip", "findings.csv")


def test_scans_without_a_file_are_counted_and_end_the_run_too(cohort):
    subjects, _, rows, findings = cohort
    of_names = [refused(Path("a_flair.nii"), "lacks its T1", "add it"), doubtful(Path("b.nii"), "looks odd", "look")]
    sound = findings[findings["severity"] != REFUSED]
    rows, findings = judge_cohort(rows.assign(voxels=""), sound, subjects, of_names)
    verdicts = tabulate_verdicts(rows, 2)
    assert (verdicts["verdict"] == "incomplete").sum() == 2 and len(verdicts) == len(subjects) + 2
    with pytest.raises(InputError, match=r"^2 scans cannot be used, a_flair.nii lacks its T1: add it, or set"):
        require_complete(verdicts, findings, "refuse", "findings.csv")


def test_the_report_says_what_was_found_worst_first_and_what_the_labels_may_mean(cohort):
    _, _, rows, findings = cohort
    lines = describe_cohort(rows, findings, "findings.csv")
    assert lines[0].startswith("4 scans of 4 patients: 1 accepted, 1 doubtful, 2 refused; 4 findings")
    severities = [line.split(":")[0] for line in lines[1:5]]
    assert severities == [REFUSED] * 3 + [DOUBTFUL]
    assert any("brats2024-gli" in line and "resection cavity" in line for line in lines)


def test_the_table_of_scans_names_the_file_behind_each_pseudonym(cohort):
    subjects, _, rows, _ = cohort
    patients = {NAME.format(number): f"patient {number}" for number in range(1, 5)}
    table = tabulate_scans(rows, subjects, patients)
    assert dict(zip(table["scan"], table["patient"], strict=True)) == patients
    for row in table.itertuples():
        assert row.scan in row.segmentation
    assert set(table["scan_pseudonym"]) == {subject.subject for subject in subjects}
    assert table["tumour_ml"].gt(0).sum() == 2


def test_a_cohort_without_a_single_complete_scan_still_has_a_report():
    empty = pd.DataFrame(columns=["subject", "patient", "shard", "verdict", "labels", "voxels", "tumour_volume_mm3"])
    none = pd.DataFrame(columns=["subject", "file", "severity", "reason", "remedy"])
    rows, findings = judge_cohort(empty, none, [], [refused(Path("a.nii"), "lacks its T1", "add it")])
    lines = describe_cohort(rows, findings, "findings.csv")
    assert lines[0].startswith("0 scans of 0 patients") and "a.nii lacks its T1" in lines[1]

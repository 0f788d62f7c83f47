"""A table of the user's own: a row a scan, with its patient and its files."""

import pytest

from mosaicmr.errors import InputError
from mosaicmr.sources.subjects import SourceSettings, find_subjects

TABLE = """patient,scan,age,t2f,T1Gd,Mask,group
anna,anna_1,40,anna/1/f.nii.gz,anna/1/g.nrrd,anna/1/m.nii.gz,A
anna,anna_2,41,anna/2/f.nii.gz,anna/2/g.nrrd,anna/2/m.nii.gz,A
bob,bob_1,50,bob/f.mha,bob/g.nii,bob/m.nii.gz,
"""


@pytest.fixture
def folder(tmp_path):
    for place in ("anna/1", "anna/2", "bob"):
        (tmp_path / place).mkdir(parents=True)
        for name in ("f.nii.gz", "g.nrrd", "m.nii.gz", "f.mha", "g.nii"):
            (tmp_path / place / name).touch()
    (tmp_path / "cohort.csv").write_text(TABLE)
    return tmp_path


def find(folder, modalities=("FLAIR", "T1ce"), **settings):
    return find_subjects(folder, modalities, "custom", SourceSettings("table", **settings))


def change(folder, old, new, table="cohort.csv"):
    text = (folder / "cohort.csv").read_text()
    assert old in text
    (folder / table).write_text(text.replace(old, new))


def test_patients_scans_and_files_are_those_of_the_rows(folder):
    found = find(folder)
    assert found.sentence == "The cohort has 3 scans of 2 patients (as the table says)."
    by_labels = {str(subject.labels.relative_to(folder)): subject for subject in found.require()}
    assert by_labels["bob/m.nii.gz"].images == {"FLAIR": folder / "bob/f.mha", "T1ce": folder / "bob/g.nii"}
    assert by_labels["anna/1/m.nii.gz"].patient == by_labels["anna/2/m.nii.gz"].patient
    assert by_labels["anna/1/m.nii.gz"].group.startswith("G") and not by_labels["bob/m.nii.gz"].group
    assert "anna" not in str([(s.subject, s.patient, s.group) for s in found.subjects])


def test_paths_are_relative_to_the_table(folder):
    (folder / "anna" / "table.csv").write_text("patient,scan,FLAIR,labels\nanna,1,1/f.nii.gz,1/m.nii.gz\n")
    (subject,) = find(folder, ["FLAIR"], table="anna/table.csv").require()
    assert subject.labels == folder / "anna/1/m.nii.gz"


def test_columns_of_the_users_own_names(folder):
    change(folder, "t2f", "dark fluid")
    with pytest.raises(InputError, match="none for FLAIR.*cohort.channels"):
        find(folder)
    assert len(find(folder, channels={"FLAIR": "Dark Fluid"}).require()) == 3


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("bob/f.mha", "", "lacks the modality FLAIR of bob_1, the cell in its column t2f"),
        ("bob/m.nii.gz", "bob/none.nii.gz", "none.nii.gz' of its column Mask, which is no file"),
        ("anna_2", "Anna_1", "two rows of the scan 'Anna_1'"),
        ("bob,bob_1", ",bob_1", "no scan or no patient in its row 3"),
        ("anna/2/m", "anna/1/m", "belongs to the scans anna_1 and anna_2"),
        ("bob/m.nii.gz", "bob/f.mha", "is an image and the segmentation of bob_1 at once"),
        ("bob/g.nii", "bob/f.mha", "has one file for several modalities of bob_1"),
    ],
)
def test_a_row_with_a_fault_is_a_finding(folder, old, new, words):
    change(folder, old, new)
    with pytest.raises(InputError, match=words):
        find(folder).require()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("patient,", "person,", "none for patient"),
        ("Mask", "Maske", "none for labels"),
        ("age", "FLAIR", "the columns 'FLAIR' and 't2f' for FLAIR"),
        (TABLE, "", "has no scans"),
    ],
)
def test_a_table_that_lacks_a_column_is_refused(folder, old, new, words):
    change(folder, old, new)
    with pytest.raises(InputError, match=words):
        find(folder)


def test_a_missing_table_is_refused(folder):
    with pytest.raises(InputError, match="cohort.table .*other.csv' cannot be read"):
        find(folder, table="other.csv")

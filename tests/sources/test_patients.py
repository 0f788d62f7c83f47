"""Patients: told by names that say so, by the user's table, and asked for where names are doubtful."""

import pytest

from mosaicmr.errors import InputError
from mosaicmr.sources.patients import apply_patients, describe_patients, find_doubts, read_table
from mosaicmr.sources.scans import Scan
from mosaicmr.sources.subjects import SourceSettings, find_subjects


def scans(*names, patients=None, certain=False):
    patients = patients or names
    return [Scan(name, patient, {}, None, "/data", certain) for name, patient in zip(names, patients, strict=True)]


def numbered(pattern, count):
    return [pattern.format(number) for number in range(1, count + 1)]


@pytest.mark.parametrize(
    "names",
    [
        ["BraTS2021_00001_1", "BraTS2021_00001_2", "BraTS2021_00002_1"],
        ["case_0012_2019", "case_0012_2020", "case_0013_2019"],
        ["TCGA_CS_4941_19960909", "TCGA_CS_4941_19970909", "TCGA_DU_5851_19950428"],
        ["sub-001_ses-1", "sub-001_ses-2", "sub-002_ses-1"],
        ["sub-001_ses-1", "sub-001_ses-2"],
        ["P01_pre", "P01_post"],
        ["P01a", "P01b", "P02a"],
        ["UPENN-GBM-00001_11", "UPENN-GBM-00001_21", *numbered("UPENN-GBM-1{:04d}_11", 40)],
        ["anna_1", "anna_2", "bob_1"],
        ["Patient-001-week-000", "Patient-001-week-044", "Patient-002-week-000"],
        [f"case_{patient:04d}_{year}0101" for patient in range(3) for year in range(2010, 2018)],
        [f"P{patient:03d}_{scan}" for patient in range(3) for scan in range(8)],
    ],
)
def test_names_that_may_be_scans_of_one_patient_are_asked_about(names):
    (finding,) = find_doubts(scans(*names), "/data")
    assert finding.severity == "undecided"
    assert "may be scans of one patient" in finding.reason
    assert "'scan,patient'" in finding.remedy and "cohort.patients" in finding.remedy
    assert f"'{names[0]}," in finding.remedy


@pytest.mark.parametrize(
    "names",
    [
        numbered("LGG_{:03d}", 44),
        numbered("BRATS_{:03d}", 484),
        numbered("case_{}", 20),
        numbered("UCSF-PDGM-{:04d}", 50),
        [*numbered("HGG_{:02d}", 30), *numbered("LGG_{:02d}", 30)],
        numbered("TCGA_CS_{:04d}_19960909", 20),
        ["anna", "bob", "carl"],
        numbered("BraTS2021_{:05d}_1", 9),
        ["only_one_1"],
    ],
)
def test_names_that_only_number_their_patients_are_not_asked_about(names):
    assert find_doubts(scans(*names), "/data") == []


def test_several_patients_taken_for_one_are_asked_about_even_where_a_convention_says_so():
    names = numbered("BraTS-GLI-2024-{:03d}", 6)
    (finding,) = find_doubts(scans(*names, patients=["BraTS-GLI-2024"] * 6, certain=True), "/data")
    assert "a single patient" in finding.reason
    assert f"'{names[0]},{names[0]}'" in finding.remedy
    names = [*numbered("BraTS_site_A_{}", 6), *numbered("BraTS_site_B_{}", 6)]
    (finding,) = find_doubts(scans(*names, patients=[name[:-2] for name in names]), "/data")
    assert "BraTS_site_A_1 and BraTS_site_A_2" in finding.reason


def test_timepoints_of_the_challenges_own_names_are_certain(tmp_path):
    for name in ("Brats18_2013_11_1", "Brats18_2013_11_2", "Brats18_TCIA02_118_1"):
        for suffix in ("flair", "seg"):
            (tmp_path / f"{name}_{suffix}.nii").touch()
    found = find_subjects(tmp_path, ["FLAIR"], "brats2021")
    assert found.findings == [] and len({subject.patient for subject in found.subjects}) == 2
    assert found.patients["Brats18_2013_11_2"] == "Brats18_2013_11"
    assert found.sentence == "The cohort has 3 scans of 2 patients (a patient is a BraTS name without its timepoint)."


def test_a_table_answers_the_question_and_groups_are_pseudonyms(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("BraTS2021_00001_1", "BraTS2021_00001_2", "BraTS2021_00002_1"):
        for suffix in ("flair", "seg"):
            (data / f"{name}_{suffix}.nii.gz").touch()
    with pytest.raises(InputError, match="cohort.patients"):
        find_subjects(data, ["FLAIR"], "brats2021").require()
    table = tmp_path / "patients.csv"
    table.write_text(
        "scan,patient,group\nbrats2021_00001_1,Anna,Basel\nBraTS2021_00001_2,anna,Basel\nBraTS2021_00002_1,Bob,\n"
    )
    found = find_subjects(data, ["FLAIR"], "brats2021", SourceSettings(patients=str(table)))
    assert len(found.require()) == 3 and len({subject.patient for subject in found.subjects}) == 2
    assert sorted({subject.group for subject in found.subjects})[0] == ""
    assert "Basel" not in str([subject.record() for subject in found.subjects])
    assert "3 scans of 2 patients" in found.sentence and "patients.csv" in found.sentence
    table.write_text("scan,patient\nBraTS2021_00001_1,Anna\n")
    found = find_subjects(data, ["FLAIR"], "brats2021", SourceSettings(patients=str(table)))
    assert len(found.subjects) == 1 and len(found.findings) == 2
    assert "add the line 'BraTS2021_00001_2,PATIENT'" in found.findings[0].sentence


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,patient\na,b\n", "expected scan, patient"),
        ("scan,patient\na,\n", "without scan or patient"),
        ("scan,patient\na,b\nA,c\n", "two patients"),
        ("scan,scan\na,b\n", "two columns called 'scan'"),
        ("scan,patient\na,b,c,d\n", "4 cells under 2 columns"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path, text, words):
    (tmp_path / "patients.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        apply_patients(scans("a"), tmp_path / "patients.csv")


def test_a_table_may_come_from_excel_and_must_exist(tmp_path):
    path = tmp_path / "patients.csv"
    path.write_bytes("\ufeffscan;patient\r\n a ; Zoë \r\n;\r\n".encode())
    assert read_table(path, "cohort.patients") == [{"scan": "a", "patient": "Zoë"}]
    path.write_bytes("scan,patient\na,Zoë\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        read_table(path, "cohort.patients")
    with pytest.raises(InputError, match="cohort.patients .*No such file"):
        read_table(tmp_path / "none.csv", "cohort.patients")


def test_the_number_of_patients_is_one_sentence():
    assert describe_patients(scans("a"), "by name") == "The cohort has 1 scan of 1 patient (by name)."

"""Subjects are found by name, hidden behind pseudonyms, and kept together by patient."""

import json
import os
import time

import pytest

from mosaicmr.cohort.shards import assign_shards
from mosaicmr.cohort.subject import Subject
from mosaicmr.errors import InputError
from mosaicmr.sources.subjects import (
    SourceSettings,
    find_subjects,
    phantom_files,
    phantom_patients,
    phantom_subjects,
)
from tests.support.cohorts import touch_cohort

ALL = ["FLAIR", "T1", "T1ce", "T2"]
OLD = ("flair", "t1", "t1ce", "t2", "seg")
NEW = ("t2f", "t1n", "t1c", "t2w", "seg")


def subjects_in(folder, modalities, scheme):
    return find_subjects(folder, modalities, scheme).require()


def touch(folder, name, suffixes, extension=".nii.gz"):
    separator = "-" if "-" in name else "_"
    (folder / name).mkdir(parents=True)
    for suffix in suffixes:
        (folder / name / f"{name}{separator}{suffix}{extension}").touch()


@pytest.mark.parametrize(
    "name",
    ["BraTS2021_01484", "Brats18_2013_11_1", "BraTS20_Training_001", "BraTS19_CBICA_AAB_1", "brats_2013_pat0005_1"],
)
@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
def test_finds_the_naming_of_2018_to_2021(tmp_path, name, extension):
    touch(tmp_path, name, OLD, extension)
    (subject,) = subjects_in(tmp_path, ALL, "brats2021")
    assert [file.name for file in subject.files] == [f"{name}_{suffix}{extension}" for suffix in OLD]
    assert list(subject.images) == ALL


@pytest.mark.parametrize("scheme", ["brats2023", "brats2024-gli"])
def test_finds_the_naming_of_2023_and_2024(tmp_path, scheme):
    touch(tmp_path, "BraTS-GLI-00005-100", NEW)
    (subject,) = subjects_in(tmp_path, ["T1ce", "FLAIR"], scheme)
    assert [file.name for file in subject.files] == [
        f"BraTS-GLI-00005-100-{suffix}.nii.gz" for suffix in ("t1c", "t2f", "seg")
    ]


def test_finds_subjects_one_folder_deeper_and_passes_over_other_files(tmp_path):
    touch(tmp_path / "BraTS_Training_Data" / "HGG", "Brats18_2013_11_1", OLD)
    touch(tmp_path / "BraTS_Training_Data" / "LGG", "Brats18_2013_12_1", OLD)
    (tmp_path / "README.md").touch()
    (tmp_path / "survival_data.csv").touch()
    assert len(subjects_in(tmp_path, ALL, "brats2021")) == 2


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        (["BraTS-GLI-00005-100", "BraTS-GLI-00005-101", "BraTS-GLI-00006-100"], 2),
        (["Brats18_2013_11_1", "Brats18_2013_11_2", "Brats18_2013_12_1"], 2),
        (["brats_2013_pat0005_1", "brats_2013_pat0005_2", "brats_2013_pat0006_1"], 2),
        (["BraTS2021_00001", "BraTS2021_00002"], 2),
        (["BraTS20_Training_001", "BraTS20_Training_002"], 2),
    ],
)
def test_all_timepoints_of_a_patient_are_one_patient_in_one_shard(tmp_path, names, patients):
    for name in names:
        touch(tmp_path, name, NEW if "-" in name else OLD)
    subjects = subjects_in(tmp_path, ALL, "brats2023" if "-" in names[0] else "brats2021")
    assert len({subject.subject for subject in subjects}) == len(names)
    assert len({subject.patient for subject in subjects}) == patients
    shards = assign_shards(subjects, 1)
    assert len(shards) == patients
    assert len({(s.patient, shard) for shard, members in shards.items() for s in members}) == patients


@pytest.mark.parametrize(
    ("name", "suffixes", "scheme"),
    [
        ("BraTS-GLI-00005-100", NEW, "brats2021"),
        ("BraTS2021_01484", OLD, "brats2023"),
        ("BraTS2021_01484", OLD, "brats2024-gli"),
        ("BraTS-PED-00005-000", NEW, "brats2023"),
        ("BraTS-MET-00005-000", NEW, "brats2024-gli"),
    ],
)
def test_a_scheme_that_contradicts_the_naming_is_refused(tmp_path, name, suffixes, scheme):
    touch(tmp_path, name, suffixes)
    with pytest.raises(InputError, match=rf"{name}.*{scheme}.*expected"):
        subjects_in(tmp_path, ALL, scheme)


def test_a_missing_modality_is_named_and_a_subset_does_without_it(tmp_path):
    touch(tmp_path, "BraTS2021_00001", ("flair", "t1ce", "seg"))
    with pytest.raises(InputError, match=r"modality T1 of BraTS2021_00001, the file BraTS2021_00001_t1\.nii\.gz"):
        subjects_in(tmp_path, ALL, "brats2021")
    assert list(subjects_in(tmp_path, ["FLAIR", "T1ce"], "brats2021")[0].images) == ["FLAIR", "T1ce"]


def test_a_missing_segmentation_an_empty_subject_and_a_double_file_are_refused(tmp_path):
    touch(tmp_path / "a", "BraTS2021_00001", OLD[:4])
    with pytest.raises(InputError, match="lacks the segmentation"):
        subjects_in(tmp_path / "a", ALL, "brats2021")
    touch(tmp_path / "b", "BraTS2021_00001", ())
    with pytest.raises(InputError, match="lacks the modality FLAIR"):
        subjects_in(tmp_path / "b", ALL, "brats2021")
    touch(tmp_path / "c", "BraTS2021_00001", OLD)
    touch(tmp_path / "c" / "copy", "BraTS2021_00001", OLD)
    with pytest.raises(InputError, match="claim to be the same image"):
        subjects_in(tmp_path / "c", ALL, "brats2021")


def test_a_missing_or_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="cohort_dir is null"):
        subjects_in(None, ALL, "brats2021")
    with pytest.raises(InputError, match="is not a folder"):
        subjects_in(tmp_path / "nowhere", ALL, "brats2021")
    with pytest.raises(InputError, match="expected files in BraTS naming, such as BraTS2021_00001/"):
        subjects_in(tmp_path, ALL, "brats2021")


def test_upper_case_other_common_suffixes_and_what_archives_leave_behind(tmp_path):
    folder = tmp_path / "BraTS-GLI-00000-000"
    folder.mkdir()
    for suffix in ("T1C.NII.GZ", "t1n.nii.gz", "t2W.nii.gz", "T2F.nii", "SEG.nii.gz"):
        (folder / f"BraTS-GLI-00000-000-{suffix}").touch()
    for beside in ("__MACOSX", ".hidden", "@eaDir"):
        (tmp_path / beside / folder.name).mkdir(parents=True)
        (tmp_path / beside / folder.name / "BraTS-GLI-00000-000-t1c.nii.gz").touch()
    (folder / "._BraTS-GLI-00000-000-t1n.nii.gz").touch()
    (subject,) = subjects_in(tmp_path, ALL, "brats2023")
    assert [file.name.rsplit("-", 1)[1] for file in subject.files] == [
        "T2F.nii", "t1n.nii.gz", "T1C.NII.GZ", "t2W.nii.gz", "SEG.nii.gz"
    ]  # fmt: skip


def test_a_name_in_upper_case_is_the_same_subject(tmp_path):
    touch(tmp_path, "BraTS2021_00001", OLD[:4])
    (tmp_path / "BraTS2021_00001" / "BRATS2021_00001_SEG.NII.GZ").touch()
    (upper,) = subjects_in(tmp_path, ALL, "brats2021")
    touch(tmp_path / "lower", "BraTS2021_00001", OLD)
    assert upper.subject == subjects_in(tmp_path / "lower", ALL, "brats2021")[0].subject


def test_a_folder_named_like_an_image_gives_the_file_in_it(tmp_path):
    for suffix in OLD:
        inner = tmp_path / "BraTS2021_00001" / f"BraTS2021_00001_{suffix}.nii"
        inner.mkdir(parents=True)
        (inner / f"BraTS2021_00001_{suffix}.nii").touch()
        (inner / ".DS_Store").touch()
    (subject,) = subjects_in(tmp_path, ALL, "brats2021")
    assert all(file.parent.name == file.name for file in subject.files)
    (tmp_path / "BraTS2021_00001" / "BraTS2021_00001_t1.nii" / "copy.nii").touch()
    with pytest.raises(InputError, match="BraTS2021_00001_t1.nii is a folder named like an image that holds 2 files"):
        subjects_in(tmp_path, ALL, "brats2021")


def test_all_problems_of_names_are_found_and_the_complete_subjects_too(tmp_path):
    touch(tmp_path, "BraTS2021_00001", OLD)
    touch(tmp_path, "BraTS2021_00002", OLD[1:])
    touch(tmp_path, "BraTS2021_00003", OLD[:4])
    touch(tmp_path / "copy", "BraTS2021_00001", ("t2",))
    found = find_subjects(tmp_path, ALL, "brats2021")
    assert len(found.subjects) == 1
    sentences = sorted(finding.sentence for finding in found.findings)
    assert len(sentences) == 3
    assert sorted(finding.severity for finding in found.findings) == ["refused", "refused", "undecided"]
    assert "claim to be the same image" in sentences[0]
    assert "lacks the modality FLAIR of BraTS2021_00002, the file BraTS2021_00002_flair.nii.gz" in sentences[1]
    assert "lacks the segmentation of BraTS2021_00003, the file BraTS2021_00003_seg.nii.gz" in sentences[2]
    with pytest.raises(InputError, match=r"\(and 2 more: run the target check_cohort\)\.$"):
        found.require()
    with pytest.raises(InputError, match=r"claim to be the same image: keep one of them\.$"):
        found.require(skip=True)


def test_scans_that_lack_a_file_can_be_skipped_but_not_all_of_them(tmp_path):
    touch(tmp_path, "BraTS2021_00001", OLD)
    touch(tmp_path, "BraTS2021_00002", OLD[1:])
    found = find_subjects(tmp_path, ALL, "brats2021")
    assert len(found.require(skip=True)) == found.left_out == 1
    (tmp_path / "BraTS2021_00001" / "BraTS2021_00001_t1.nii.gz").unlink()
    with pytest.raises(InputError, match="lacks the modality"):
        find_subjects(tmp_path, ALL, "brats2021").require(skip=True)


def test_scans_that_may_be_of_one_patient_cannot_be_skipped(tmp_path):
    for name in ("BraTS2021_00001_1", "BraTS2021_00001_2", "BraTS2021_00003_1"):
        touch(tmp_path, name, OLD)
    with pytest.raises(InputError, match="cohort.patients"):
        find_subjects(tmp_path, ALL, "brats2021").require(skip=True)


def test_a_folder_that_cannot_be_read_is_a_finding(tmp_path, monkeypatch):
    touch(tmp_path, "BraTS2021_00001", OLD)
    touch(tmp_path, "BraTS2021_00002", ())
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("00002"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = find_subjects(tmp_path, ALL, "brats2021")
    assert len(found.subjects) == 1
    assert found.findings[0].sentence.startswith(f"{tmp_path}/BraTS2021_00002 cannot be listed (Permission denied)")


def test_a_scheme_of_the_users_own_fits_every_naming_and_no_other_is_recommended_unseen(tmp_path):
    touch(tmp_path, "BraTS-GLI-00005-100", NEW)
    assert subjects_in(tmp_path, ALL, "custom")
    with pytest.raises(InputError, match="look which labels the segmentations hold.*custom"):
        subjects_in(tmp_path, ALL, "brats2021")


def test_a_suffix_of_the_users_own_takes_the_place_of_the_usual_ones(tmp_path):
    touch(tmp_path, "BraTS2021_00001", (*OLD, "t1brain"))
    found = find_subjects(tmp_path, ["T1"], "brats2021", SourceSettings(channels={"T1": "t1brain"}))
    assert found.require()[0].images["T1"].name == "BraTS2021_00001_t1brain.nii.gz"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("dataset.json", ["looks made for nnunet", "set cohort.source to nnunet"]),
        ("sub-01/anat/sub-01_T1w.nii.gz", ["looks made for bids"]),
        ("cohort.csv", ["looks made for table"]),
        ("series/IM0001.dcm", ["DICOM", "dcm2niix"]),
        ("anna/flair.nii.gz", ["flair.nii.gz", "no scan by its names", "cohort.source table"]),
    ],
)
def test_a_folder_of_another_kind_is_refused_with_what_can_be_read(tmp_path, file, words):
    (tmp_path / "imagesTr").mkdir()
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).touch()
    with pytest.raises(InputError) as error:
        subjects_in(tmp_path, ALL, "brats2021")
    for word in words:
        assert word in str(error.value)


def test_a_relative_folder_says_relative_to_what(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"relative to Snakemake's working directory: {tmp_path}/data"):
        subjects_in("data", ALL, "brats2021")


def test_pseudonyms_hide_the_identifier_and_outlast_a_growing_cohort(tmp_path):
    touch_cohort(tmp_path, 5)
    before = {subject.labels: subject for subject in subjects_in(tmp_path, ALL, "brats2021")}
    touch(tmp_path, "BraTS2021_00009", OLD)
    after = {subject.labels: subject for subject in subjects_in(tmp_path, ALL, "brats2021")}
    assert all(after[file] == subject for file, subject in before.items())
    assert len({subject.subject for subject in after.values()}) == 6
    for subject in before.values():
        assert subject.subject[0] == "S" and subject.patient[0] == "P" and len(subject.subject) == 9
        assert "2021" not in subject.subject + subject.patient or "BraTS" not in subject.subject + subject.patient


def test_the_pseudonym_of_a_name_stays_what_it_was():
    # Runs that are finished carry it: the first digits of the SHA-256 of brats2021_p0001.
    (subject,) = phantom_subjects("phantom", 1, ALL)
    assert (subject.subject, subject.patient) == ("Sc6335ab1", "Pc6335ab1")


def test_a_job_gets_its_subjects_from_records_that_json_holds(tmp_path):
    touch_cohort(tmp_path, 3)
    for subject in subjects_in(tmp_path, ["T2", "FLAIR"], "brats2021"):
        record = json.loads(json.dumps(subject.record()))
        assert Subject.from_record(record) == subject
        assert list(Subject.from_record(record).images) == ["T2", "FLAIR"]


def test_the_phantom_comes_through_the_same_door(tmp_path):
    subjects = phantom_subjects("results/demo/phantom", 12, ["FLAIR", "T1ce"])
    assert len({subject.patient for subject in subjects}) == 12
    for patient in phantom_patients(3):
        for file in phantom_files(tmp_path, patient).values():
            file.parent.mkdir(exist_ok=True)
            file.touch()
    assert subjects_in(tmp_path, ["FLAIR", "T1ce"], "brats2021") == phantom_subjects(tmp_path, 3, ["FLAIR", "T1ce"])


def test_fifteen_hundred_subjects_take_a_moment(tmp_path):
    touch_cohort(tmp_path, 1500)
    start = time.perf_counter()
    found = find_subjects(tmp_path, ALL, "brats2021")
    assert sum(map(len, assign_shards(found.require(), 25).values())) == 1500
    assert time.perf_counter() - start < 3
    assert "1500 scans of 1500 patients" in found.sentence

"""Subjects are found by name, hidden behind pseudonyms, and kept together by patient."""

import time

import pytest

from mosaicmr.cohort.sources import (
    assign_shards,
    find_subjects,
    phantom_files,
    phantom_patients,
    phantom_subjects,
    subjects_of_files,
    subjects_of_shard,
)
from mosaicmr.errors import InputError

ALL = ["FLAIR", "T1", "T1ce", "T2"]
OLD = ("flair", "t1", "t1ce", "t2", "seg")
NEW = ("t2f", "t1n", "t1c", "t2w", "seg")


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
    (subject,) = find_subjects(tmp_path, ALL, "brats2021")
    assert [file.name for file in subject.files] == [f"{name}_{suffix}{extension}" for suffix in OLD]
    assert list(subject.images) == ALL


@pytest.mark.parametrize("scheme", ["brats2023", "brats2024-gli"])
def test_finds_the_naming_of_2023_and_2024(tmp_path, scheme):
    touch(tmp_path, "BraTS-GLI-00005-100", NEW)
    (subject,) = find_subjects(tmp_path, ["T1ce", "FLAIR"], scheme)
    assert [file.name for file in subject.files] == [
        f"BraTS-GLI-00005-100-{suffix}.nii.gz" for suffix in ("t1c", "t2f", "seg")
    ]


def test_finds_subjects_one_folder_deeper_and_passes_over_other_files(tmp_path):
    touch(tmp_path / "BraTS_Training_Data" / "HGG", "Brats18_2013_11_1", OLD)
    touch(tmp_path / "BraTS_Training_Data" / "LGG", "Brats18_2013_12_1", OLD)
    (tmp_path / "README.md").touch()
    (tmp_path / "survival_data.csv").touch()
    assert len(find_subjects(tmp_path, ALL, "brats2021")) == 2


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        (["BraTS-GLI-00005-100", "BraTS-GLI-00005-101", "BraTS-GLI-00006-100"], 2),
        (["Brats18_2013_11_1", "Brats18_2013_11_2", "Brats18_2013_12_1"], 2),
        (["brats_2013_pat0005_1", "brats_2013_pat0005_2"], 1),
        (["BraTS2021_00001", "BraTS2021_00002"], 2),
        (["BraTS20_Training_001", "BraTS20_Training_002"], 2),
    ],
)
def test_all_timepoints_of_a_patient_are_one_patient_in_one_shard(tmp_path, names, patients):
    for name in names:
        touch(tmp_path, name, NEW if "-" in name else OLD)
    subjects = find_subjects(tmp_path, ALL, "brats2023" if "-" in names[0] else "brats2021")
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
        find_subjects(tmp_path, ALL, scheme)


def test_a_missing_modality_is_named_and_a_subset_does_without_it(tmp_path):
    touch(tmp_path, "BraTS2021_00001", ("flair", "t1ce", "seg"))
    with pytest.raises(InputError, match=r"modality T1, the file BraTS2021_00001_t1\.nii\.gz"):
        find_subjects(tmp_path, ALL, "brats2021")
    assert list(find_subjects(tmp_path, ["FLAIR", "T1ce"], "brats2021")[0].images) == ["FLAIR", "T1ce"]


def test_a_missing_segmentation_an_empty_subject_and_a_double_file_are_refused(tmp_path):
    touch(tmp_path / "a", "BraTS2021_00001", OLD[:4])
    with pytest.raises(InputError, match="lacks its segmentation"):
        find_subjects(tmp_path / "a", ALL, "brats2021")
    touch(tmp_path / "b", "BraTS2021_00001", ())
    with pytest.raises(InputError, match="lacks its modality FLAIR"):
        find_subjects(tmp_path / "b", ALL, "brats2021")
    touch(tmp_path / "c", "BraTS2021_00001", OLD)
    touch(tmp_path / "c" / "copy", "BraTS2021_00001", OLD)
    with pytest.raises(InputError, match="claim to be the same image"):
        find_subjects(tmp_path / "c", ALL, "brats2021")


def test_a_missing_or_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="cohort_dir is null"):
        find_subjects(None, ALL, "brats2021")
    with pytest.raises(InputError, match="is not a folder"):
        find_subjects(tmp_path / "nowhere", ALL, "brats2021")
    with pytest.raises(InputError, match="no subject in BraTS naming"):
        find_subjects(tmp_path, ALL, "brats2021")


def files_of(number, suffixes=OLD):
    return [f"/data/BraTS2021_{number:05d}/BraTS2021_{number:05d}_{suffix}.nii.gz" for suffix in suffixes]


def subjects_numbered(numbers):
    return subjects_of_files([file for number in numbers for file in files_of(number)], ALL, "brats2021")


def test_pseudonyms_hide_the_identifier_and_outlast_a_growing_cohort():
    before = {subject.labels: subject.subject for subject in subjects_numbered(range(5))}
    after = {subject.labels: subject.subject for subject in subjects_numbered(range(9))}
    assert all(after[file] == pseudonym for file, pseudonym in before.items())
    assert len(set(after.values())) == 9
    for subject in subjects_numbered(range(5)):
        assert subject.subject[0] == "S" and subject.patient[0] == "P" and len(subject.subject) == 9
        assert "2021" not in subject.subject + subject.patient or "BraTS" not in subject.subject + subject.patient


def members(shards):
    return {(shard, frozenset(subject.subject for subject in subjects)) for shard, subjects in shards.items()}


@pytest.mark.parametrize(("subjects_per_shard", "max_shards"), [(1, 32), (6, 32), (6, 4), (6, 1)])
def test_adding_a_patient_touches_no_shard_but_its_own_however_large_the_cohort(subjects_per_shard, max_shards):
    before = members(assign_shards(subjects_numbered(range(1)), subjects_per_shard, max_shards))
    for count in range(2, 120):
        after = members(assign_shards(subjects_numbered(range(count)), subjects_per_shard, max_shards))
        gone, new = before - after, after - before
        assert len(gone) <= 1
        held = set().union(*(subjects for _, subjects in gone))
        holds = set().union(*(subjects for _, subjects in new))
        assert held < holds and len(holds) == len(held) + 1
        before = after


def test_shards_hold_no_more_than_was_asked_for_until_there_are_as_many_as_allowed():
    shards = assign_shards(subjects_numbered(range(100)), 8, 64)
    assert all(1 <= len(subjects) <= 8 for subjects in shards.values())
    assert len(shards) < 32
    assert all(subject.shard == shard for shard, subjects in shards.items() for subject in subjects)
    large = assign_shards(subjects_numbered(range(1500)), 8, 33)  # rounded down to 32
    assert len(large) == 32
    assert all(25 <= len(subjects) <= 75 for subjects in large.values())
    assert len(assign_shards(subjects_numbered(range(3)), 8)) == 1


def test_a_job_finds_its_subjects_again_from_its_files_alone():
    shards = assign_shards(subjects_numbered(range(20)), 4)
    for shard, subjects in shards.items():
        files = [file for subject in subjects for file in subject.files]
        assert subjects_of_shard(files, ALL, "brats2021", shard) == subjects


def test_the_phantom_comes_through_the_same_door(tmp_path):
    subjects = phantom_subjects("results/demo/phantom", 12, ["FLAIR", "T1ce"])
    assert len({subject.patient for subject in subjects}) == 12
    for patient in phantom_patients(3):
        for file in phantom_files(tmp_path, patient).values():
            file.parent.mkdir(exist_ok=True)
            file.touch()
    found = find_subjects(tmp_path, ["FLAIR", "T1ce"], "brats2021")
    assert [s.subject for s in found] == [s.subject for s in phantom_subjects(tmp_path, 3, ["FLAIR", "T1ce"])]
    with pytest.raises(InputError, match="contradicts"):
        phantom_subjects(tmp_path, 3, ALL, "brats2023")


def test_fifteen_hundred_subjects_take_a_moment():
    start = time.perf_counter()
    assert sum(map(len, assign_shards(subjects_numbered(range(1500)), 25).values())) == 1500
    assert time.perf_counter() - start < 3

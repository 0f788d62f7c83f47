"""BIDS: a scan is a subject or a session of one, and its mask lies in derivatives."""

import time

import pytest

from mosaicmr.errors import InputError
from mosaicmr.sources.bids_files import pattern_expression
from mosaicmr.sources.subjects import SourceSettings, find_subjects

ALL = ["FLAIR", "T1", "T1ce", "T2"]
ENDS = ("FLAIR", "T1w", "ce-gadolinium_T1w", "T2w")


def touch(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()


def write_scan(folder, subject, session="", ends=ENDS, mask="label-lesion_mask", derivative="lesions"):
    place, name = f"sub-{subject}", f"sub-{subject}"
    if session:
        place, name = f"{place}/ses-{session}", f"{name}_ses-{session}"
    touch(folder, *(f"{place}/anat/{name}_{end}.nii.gz" for end in ends))
    if mask:
        touch(folder, f"derivatives/{derivative}/{place}/anat/{name}_{mask}.nii.gz")


def find(folder, modalities=ALL, **settings):
    return find_subjects(folder, modalities, "custom", SourceSettings("bids", **settings))


def names(subject):
    return [file.name.split("_", 1)[1].removesuffix(".nii.gz") for file in subject.files]


def test_subjects_sessions_contrast_agent_and_masks_are_found(tmp_path):
    write_scan(tmp_path, "07", "1")
    write_scan(tmp_path, "07", "2")
    write_scan(tmp_path, "19")
    touch(tmp_path, "sourcedata/sub-20/anat/sub-20_T1w.nii.gz", "sub-19/func/sub-19_task-rest_bold.nii.gz")
    touch(tmp_path, "sub-19/anat/sub-19_T1w.json", "sub-19/anat/._sub-19_T1w.nii.gz", "README.md")
    found = find(tmp_path)
    assert found.sentence == "The cohort has 3 scans of 2 patients (a patient is a subject of BIDS)."
    assert found.patients == {"sub-07_ses-1": "sub-07", "sub-07_ses-2": "sub-07", "sub-19": "sub-19"}
    (last,) = [subject for subject in found.require() if "sub-19" in str(subject.labels)]
    assert names(last) == [*ENDS, "label-lesion_mask"]


def test_a_brain_mask_is_no_segmentation_and_of_two_masks_the_user_chooses(tmp_path):
    write_scan(tmp_path, "01", mask="desc-brain_mask", derivative="strip")
    with pytest.raises(InputError, match="lacks the segmentation of sub-01"):
        find(tmp_path).require()
    for rater in ("anna", "bob"):
        write_scan(tmp_path, "01", derivative=rater)
    with pytest.raises(InputError, match="all fit the segmentation: choose by a pattern in cohort.masks"):
        find(tmp_path).require()
    (subject,) = find(tmp_path, masks="derivatives/anna/sub-{subject}/**/*_mask.nii.gz").require()
    assert "anna" in str(subject.labels)
    with pytest.raises(InputError, match="a file such as derivatives/carl/"):
        find(tmp_path, masks="derivatives/carl/sub-{subject}/**/*_mask.nii.gz").require()


def test_a_pattern_names_subject_and_session(tmp_path):
    for session in ("1", "2"):
        write_scan(tmp_path, "01", session, mask=None)
        touch(tmp_path, f"derivatives/nnunet/01-{session}/sub-01_ses-{session}_seg.nii.gz")
    write_scan(tmp_path, "02", "1", mask=None)
    touch(tmp_path, "derivatives/nnunet/02-1/sub-02_ses-1_seg.nii.gz")
    subjects = find(tmp_path, masks="derivatives/nnunet/{subject}-{session}/sub-{subject}_*.nii.gz").require()
    assert len(subjects) == 3
    for subject in subjects:
        assert subject.labels.name.rsplit("_", 1)[0] == subject.images["T1"].name.rsplit("_", 1)[0]


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("d/sub-{subject}/*_mask.nii.gz", "d/sub-01/sub-01_mask.nii.gz", True),
        ("d/sub-{subject}/*_mask.nii.gz", "d/sub-01/anat/sub-01_mask.nii.gz", False),
        ("d/**/sub-{subject}_mask.nii.gz", "d/a/b/sub-01_mask.nii.gz", True),
        ("d/**/sub-{subject}_mask.nii.gz", "d/sub-01_mask.nii.gz", True),
        ("sub-{subject}/sub-{subject}_m.nii", "sub-01/sub-02_m.nii", False),
        ("sub-{subject}_ses-{session}_?.nii", "sub-01_ses-a_m.nii", True),
        ("sub-{subject}.nii", "sub-01xnii", False),
    ],
)
def test_stars_stay_in_a_folder_and_repeated_names_agree(pattern, path, matches):
    assert (pattern_expression(pattern, "cohort.masks").fullmatch(path) is not None) == matches


@pytest.mark.parametrize(
    ("pattern", "words"), [("d/*.nii", "expected {subject}"), ("{subject}/{run}", "no braces but")]
)
def test_a_pattern_that_tells_no_subject_is_refused(pattern, words):
    with pytest.raises(InputError, match=words):
        pattern_expression(pattern, "cohort.masks")


def test_of_several_images_the_user_chooses_by_the_end_of_the_name_or_a_pattern(tmp_path):
    write_scan(tmp_path, "01", ends=("FLAIR", "acq-mprage_T1w", "acq-se_T1w"))
    with pytest.raises(InputError, match="all fit the modality T1: choose by the end of the wanted name"):
        find(tmp_path, ["FLAIR", "T1"]).require()
    (subject,) = find(tmp_path, ["FLAIR", "T1"], channels={"T1": "acq-se_T1w"}).require()
    assert names(subject)[1] == "acq-se_T1w"
    touch(tmp_path, "derivatives/prep/sub-01/anat/sub-01_space-MNI_T1w.nii.gz")
    own = {"T1": "derivatives/prep/sub-{subject}/anat/*_T1w.nii.gz"}
    (subject,) = find(tmp_path, ["FLAIR", "T1"], channels=own).require()
    assert names(subject)[1] == "space-MNI_T1w"


def test_sessions_with_a_dash_stay_two_and_a_mask_of_no_session_fits_the_only_one(tmp_path):
    write_scan(tmp_path, "01", "pre-1")
    write_scan(tmp_path, "01", "pre-2")
    write_scan(tmp_path, "02", "1", mask=None)
    touch(tmp_path, "derivatives/lesions/sub-02/sub-02_label-lesion_mask.nii.gz")
    assert len(find(tmp_path).require()) == 3
    touch(tmp_path, *(f"sub-02/ses-2/anat/sub-02_ses-2_{end}.nii.gz" for end in ENDS))
    lacking = [finding.reason for finding in find(tmp_path).findings]
    assert [reason.split(",")[0] for reason in lacking] == [
        "lacks the segmentation of sub-02_ses-1",
        "lacks the segmentation of sub-02_ses-2",
    ]


def test_fifteen_hundred_subjects_take_a_moment(tmp_path):
    for number in range(1500):
        write_scan(tmp_path, f"{number:04d}", ends=("FLAIR", "T1w"))
    start = time.perf_counter()
    assert len(find(tmp_path, ["FLAIR", "T1"]).require()) == 1500
    assert time.perf_counter() - start < 5

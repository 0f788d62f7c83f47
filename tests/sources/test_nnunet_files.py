"""nnU-Net's raw layout and the Medical Segmentation Decathlon: channels and labels come from dataset.json."""

import json

import pytest

from mosaicmr.cohort.subject import Subject
from mosaicmr.errors import InputError
from mosaicmr.sources.nnunet_files import read_labels
from mosaicmr.sources.subjects import SourceSettings, find_subjects

CHANNELS = {"0": "T1", "1": "FLAIR", "2": "T1ce"}
LABELS = {"background": 0, "lesion": 1}
MSD = {"modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"}, "labels": {"0": "background", "1": "edema"}}


def write_dataset(folder, cases, dataset, channels=3, ending=".nii.gz"):
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(dataset))
    for case in cases:
        (folder / "labelsTr" / f"{case}{ending}").touch()
        for number in range(channels):
            (folder / "imagesTr" / f"{case}_{number:04d}{ending}").touch()
        if not channels:
            (folder / "imagesTr" / f"{case}{ending}").touch()
            (folder / "imagesTr" / f"._{case}{ending}").touch()


def find(folder, modalities, scheme="dataset", **settings):
    return find_subjects(folder, modalities, scheme, SourceSettings("nnunet", **settings))


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha", ".NII.GZ"])
def test_channels_are_found_by_their_names(tmp_path, ending):
    dataset = {"channel_names": CHANNELS, "labels": LABELS, "file_ending": ending}
    write_dataset(tmp_path, ["LGG_000", "LGG_008"], dataset, ending=ending)
    found = find(tmp_path, ["FLAIR", "T1ce"])
    assert found.sentence == "The cohort has 2 scans of 2 patients (each case of nnU-Net counts as a patient)."
    for subject, case in zip(sorted(found.require(), key=lambda s: s.labels), ("LGG_000", "LGG_008"), strict=True):
        assert {modality: file.name for modality, file in subject.images.items()} == {
            "FLAIR": f"{case}_0001{ending}",
            "T1ce": f"{case}_0002{ending}",
        }
        assert subject.labels == tmp_path / "labelsTr" / f"{case}{ending}"
        assert subject.channels == {}


def test_a_file_of_the_decathlon_holds_all_modalities_of_a_case(tmp_path):
    write_dataset(tmp_path, ["BRATS_001", "BRATS_0002"], MSD, channels=0)
    subjects = find(tmp_path, ["T1ce", "FLAIR"]).require()
    assert len(subjects) == 2
    for subject in subjects:
        assert subject.channels == {"T1ce": 2, "FLAIR": 0}
        assert len(subject.files) == 2 and subject.images["T1ce"] == subject.images["FLAIR"]
        assert Subject.from_record(subject.record()) == subject


def test_a_dataset_of_one_modality_has_volumes_of_three_axes(tmp_path):
    write_dataset(tmp_path, ["a", "b"], {"modality": {"0": "FLAIR"}, "labels": {"1": "lesion"}}, channels=0)
    assert all(subject.channels == {} for subject in find(tmp_path, ["FLAIR"]).require())


def test_channels_of_the_users_own_names_are_named_in_the_configuration(tmp_path):
    write_dataset(tmp_path, ["a"], {"channel_names": {"0": "MRI", "1": "mri_flair", "2": "MRI"}, "labels": LABELS})
    with pytest.raises(InputError, match="0 'MRI', 1 'mri_flair', 2 'MRI', none for FLAIR.*cohort.channels"):
        find(tmp_path, ["FLAIR"])
    (subject,) = find(tmp_path, ["FLAIR", "T1"], channels={"FLAIR": "MRI_FLAIR", "T1": "2"}).require()
    assert [file.name for file in subject.images.values()] == ["a_0001.nii.gz", "a_0002.nii.gz"]
    with pytest.raises(InputError, match="several for T1"):
        find(tmp_path, ["T1"], channels={"T1": "MRI"})


def test_what_a_case_lacks_is_found_for_all_cases(tmp_path):
    write_dataset(tmp_path, ["a", "b", "c"], {"channel_names": CHANNELS, "labels": LABELS})
    (tmp_path / "imagesTr" / "a_0001.nii.gz").unlink()
    (tmp_path / "labelsTr" / "b.nii.gz").unlink()
    found = find(tmp_path, ["FLAIR"])
    assert len(found.subjects) == 1
    assert [finding.reason for finding in found.findings] == [
        "lacks the modality FLAIR of a, the file imagesTr/a_0001.nii.gz",
        "lacks the segmentation of b, the file labelsTr/b.nii.gz",
    ]
    (tmp_path / "labelsTr" / "c.nrrd").touch()
    assert "claim to be the same image" in find(tmp_path, ["T1"]).findings[0].sentence


def test_labels_become_classes_that_look_like_those_of_the_base(tmp_path):
    names = {"edema": 1, "non-enhancing tumor": 2, "enhancing tumour": 3, "Resection Cavity": 4, "ignore": 5}
    write_dataset(tmp_path, ["a"], {"channel_names": CHANNELS, "labels": {"background": 0} | names})
    labels = read_labels(tmp_path)
    assert [(each["name"], each["values"], each["like"]) for each in labels.classes] == [
        ("edema", [1], "oedema"),
        ("non_enhancing_tumor", [2], "necrosis"),
        ("enhancing_tumour", [3], "enhancing"),
        ("resection_cavity", [4], "cavity"),
    ]
    assert labels.guessed == [] and labels.classes[1]["words"] == "non-enhancing tumor"
    write_dataset(tmp_path, ["a"], MSD | {"labels": {"0": "background", "2": "whole", "1": "NETC"}})
    assert [(each["name"], each["like"]) for each in read_labels(tmp_path).classes] == [
        ("netc", "necrosis"),
        ("label_2", "oedema"),
    ]


def test_a_guessed_likeness_is_said(tmp_path):
    write_dataset(tmp_path, ["a"], {"channel_names": CHANNELS, "labels": LABELS})
    labels = read_labels(tmp_path)
    assert labels.classes == [{"name": "lesion", "values": [1], "words": "lesion", "like": "oedema"}]
    assert "lesion is taken to look like oedema" in labels.sentence and "cohort.classes" in labels.sentence


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"background": 0, "whole tumor": [1, 2], "core": [2]}, "region of the values 1, 2.*custom"),
        ({"background": 0}, "names no label"),
        ({"background": 0, "lesion": "one"}, "expected a whole number"),
        ({"background": 0, "lesion": 1, "oedema": 1}, "both 'lesion' and 'oedema'"),
        (None, "has no 'labels'"),
    ],
)
def test_labels_that_are_no_classes_are_refused(tmp_path, labels, words):
    write_dataset(tmp_path, ["a"], {"channel_names": CHANNELS, "labels": labels})
    with pytest.raises(InputError, match=words):
        read_labels(tmp_path)


def test_a_public_scheme_that_reads_a_label_as_something_else_is_refused(tmp_path):
    write_dataset(tmp_path, ["a", "b"], {"channel_names": CHANNELS, "labels": LABELS})
    with pytest.raises(InputError, match="calls the label 1 'lesion', which .* 'brats2021' reads as necrotic core"):
        find(tmp_path, ["T1"], "brats2021").require()
    assert find(tmp_path, ["T1"], "custom").require()
    same = {"background": 0, "necrosis": 1, "edema": 2, "enhancing": 3}
    write_dataset(tmp_path, ["a", "b"], {"channel_names": CHANNELS, "labels": same})
    assert find(tmp_path, ["T1"], "brats2023").require()
    with pytest.raises(InputError, match="calls the label 3 'enhancing', .* 'brats2021' does not have"):
        find(tmp_path, ["T1"], "brats2021").require()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "no JSON object"),
        ('{"labels": {}}', "no usable 'channel_names'"),
        ('{"channel_names": {"0": "T1"}, "labels": {}, "file_ending": ".png"}', "file_ending '.png'"),
    ],
)
def test_a_damaged_description_is_refused(tmp_path, text, words):
    write_dataset(tmp_path, ["a"], {})
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(InputError, match=words):
        find(tmp_path, ["T1"])


def test_a_folder_of_datasets_says_to_which_of_them_to_point(tmp_path):
    write_dataset(tmp_path / "Dataset501_LGG", ["a"], MSD, channels=0)
    with pytest.raises(InputError, match="holds no dataset.json, but 1 of its folders do.*Dataset501_LGG"):
        find(tmp_path, ["T1"])
    with pytest.raises(InputError, match="no dataset.json.*expected dataset.json, imagesTr/CASE_0000.nii.gz"):
        find(tmp_path / "Dataset501_LGG" / "imagesTr", ["T1"])
    for file in (tmp_path / "Dataset501_LGG" / "labelsTr").iterdir():
        file.unlink()
    (tmp_path / "Dataset501_LGG" / "labelsTr").rmdir()
    with pytest.raises(InputError, match="no folder labelsTr"):
        find(tmp_path / "Dataset501_LGG", ["T1"])

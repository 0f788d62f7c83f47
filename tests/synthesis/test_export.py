"""The exported set: nnU-Net's layout, orientation that a viewer shows correctly, and nothing of a patient."""

import gzip
import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import SimpleITK

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.slice_set import SliceHeader, SliceSet
from mosaicmr.errors import InputError
from mosaicmr.synthesis.export import export_dataset
from mosaicmr.synthesis.export_bids import SUFFIXES, export_bids
from mosaicmr.synthesis.export_cases import cases_of, group_cases, split_folds, to_nifti, training_slices_of
from mosaicmr.synthesis.export_format import ExportFormat

HEADER = SliceHeader(("FLAIR", "T2"), 1.5, LabelScheme.named("brats2021").classes)
PATIENTS = ["P1", "P2", "P2", "P3"]


def batch(first, count):
    """Slices 12 x 16 with a tumour (classes 1 to 3) in the anterior left quarter of the head."""
    images = np.random.default_rng(first).random((count, 2, 12, 16)).astype(np.float16)
    labels = np.zeros((count, 12, 16), np.uint8)
    labels[:, 2, 12:15] = [1, 2, 3]  # rows from anterior, columns from the patient's right
    names = [f"s{index:05d}" for index in range(first, first + count)]
    table = pd.DataFrame(
        {"slice": names, "prompt_whole": "Whole slice, no tumour", "source_slice": "BraTS2021_00042-z070"}
    ).assign(patient=PATIENTS[first : first + count], donor_patient=None)
    return SliceSet(HEADER, table, {"images": images, "labels": labels})


def export(folder, batches, real=(), form=None, slice_spacing=6.0):
    groups, strict = group_cases(batches, real)
    form = form or ExportFormat.plain(HEADER, HEADER.classes)
    cases = cases_of(batches, real, groups)
    export_dataset(folder, cases, HEADER, form, {"variant": "independent"}, slice_spacing, strict)


def content_of(path):
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


@pytest.fixture
def dataset(tmp_path):
    export(tmp_path / "dataset", [batch(0, 2), batch(2, 1)])
    return tmp_path / "dataset"


def test_files_are_laid_out_and_numbered_as_nnunet_wants(dataset):
    assert [path.name for path in sorted((dataset / "imagesTr").iterdir())] == [
        f"mosaic_{case:05d}_{channel:04d}.nii.gz" for case in (1, 2, 3) for channel in (0, 1)
    ]
    assert [path.name for path in sorted((dataset / "labelsTr").iterdir())] == [
        f"mosaic_{case:05d}.nii.gz" for case in (1, 2, 3)
    ]
    facts = json.loads((dataset / "dataset.json").read_text())
    assert facts["channel_names"] == {"0": "FLAIR", "1": "T2"}
    assert facts["labels"] == {"background": 0, "necrosis": 1, "oedema": 2, "enhancing": 3}
    assert facts["numTraining"] == 3
    assert facts["file_ending"] == ".nii.gz"
    assert facts["variant"] == "independent"


def test_an_anterior_left_tumour_is_anterior_and_left_in_the_world(dataset):
    label = nib.load(dataset / "labelsTr" / "mosaic_00001.nii.gz")
    assert nib.aff2axcodes(label.affine) == ("R", "A", "S")
    voxels = np.argwhere(np.asarray(label.dataobj) > 0)
    right, anterior, _ = nib.affines.apply_affine(label.affine, voxels).mean(0)
    assert right < 0
    assert anterior > 0


def test_pictures_come_back_as_they_were(dataset):
    images, labels = batch(0, 2).images, batch(0, 2).labels
    image = nib.load(dataset / "imagesTr" / "mosaic_00002_0001.nii.gz")
    label = nib.load(dataset / "labelsTr" / "mosaic_00002.nii.gz")

    assert image.shape == label.shape == (16, 12, 1)
    assert image.header.get_zooms() == label.header.get_zooms() == (1.5, 1.5, 6.0)
    assert label.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(image.dataobj)[::-1, ::-1, 0].T, images[1, 1].astype(np.float32))
    assert np.array_equal(np.asarray(label.dataobj)[::-1, ::-1, 0].T, labels[1])


def test_image_and_label_share_their_geometry_in_both_nifti_transforms(dataset):
    headers = [nib.load(path) for path in sorted(dataset.rglob("mosaic_00001*.nii.gz"))]
    for image in headers:
        assert np.allclose(image.get_qform(), image.get_sform())
        assert np.allclose(image.affine, headers[0].affine)


def test_provenance_names_prompts_and_no_patient(dataset):
    provenance = pd.read_csv(dataset / "provenance.csv")
    assert provenance.columns.tolist() == ["case", "synthetic", "group", "slice", "prompt"]
    assert provenance["case"].tolist() == ["mosaic_00001", "mosaic_00002", "mosaic_00003"]
    assert provenance["slice"].tolist() == ["s00000", "s00001", "s00002"]
    for path in dataset.rglob("*"):
        assert not path.is_file() or b"BraTS2021_00042" not in content_of(path)


def test_the_same_slices_give_the_same_bytes(dataset, tmp_path):
    export(tmp_path / "again", [batch(0, 2), batch(2, 1)])
    for path in dataset.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(dataset)).read_bytes()


def test_a_failure_leaves_the_old_set_and_nothing_else(dataset, tmp_path, monkeypatch):
    save = nib.save

    def failing(image, path):
        if path.name.startswith("mosaic_00002"):
            raise OSError("disk full")
        save(image, path)

    monkeypatch.setattr(nib, "save", failing)
    with pytest.raises(OSError, match="disk full"):
        export(dataset, [batch(0, 2)])

    assert json.loads((dataset / "dataset.json").read_text())["numTraining"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


def test_a_new_set_replaces_the_old(dataset):
    export(dataset, [batch(0, 1)])
    assert len(list((dataset / "labelsTr").iterdir())) == 1


def test_the_middle_of_a_slice_is_the_origin():
    affine = to_nifti(np.zeros((5, 7), np.uint8), 2.0, 3.0).affine
    assert np.allclose(affine @ [3, 2, 0, 1], [0, 0, 0, 1])


def test_no_fold_has_a_patient_on_both_sides(dataset):
    provenance = pd.read_csv(dataset / "provenance.csv").set_index("case")["group"]
    assert provenance.tolist() == ["group_001", "group_002", "group_002"]
    folds = json.loads((dataset / "splits_final.json").read_text())
    assert len(folds) == 2
    for fold in folds:
        assert not set(provenance[fold["train"]]) & set(provenance[fold["val"]])
        assert sorted(fold["train"] + fold["val"]) == sorted(provenance.index)


def test_a_given_tumour_keeps_both_patients_together_until_it_chains_all():
    drawn = batch(0, 4)
    given = replace(drawn, table=drawn.table.assign(donor_patient=["P2", None, None, None]))
    assert group_cases([given], []) == (["group_001", "group_001", "group_001", "group_002"], True)
    chained = replace(drawn, table=drawn.table.assign(donor_patient=["P2", "P3", None, None]))
    assert group_cases([chained], []) == (["group_001", "group_002", "group_002", "group_003"], False)


def test_folds_are_five_at_most_alike_in_size_and_none_for_a_single_group():
    names = [f"mosaic_{number:05d}" for number in range(60)]
    groups = [f"group_{number % 12:03d}" for number in range(60)]
    folds = split_folds(names, groups)
    assert sorted(len(fold["val"]) for fold in folds) == [10, 10, 10, 15, 15]
    assert sorted(case for fold in folds for case in fold["val"]) == names
    assert split_folds(names, ["group_001"] * 60) == []


def test_slices_of_training_patients_are_marked_and_stay_with_what_was_made_from_them(tmp_path):
    export(tmp_path / "dataset", [batch(0, 2)], [batch(1, 3)])
    provenance = pd.read_csv(tmp_path / "dataset" / "provenance.csv", keep_default_na=False)
    assert provenance["case"].tolist() == ["mosaic_00001", "mosaic_00002", "real_00001", "real_00002", "real_00003"]
    assert provenance["synthetic"].tolist() == [True, True, False, False, False]
    assert provenance["group"].tolist() == ["group_001", "group_002", "group_002", "group_002", "group_003"]
    facts = json.loads((tmp_path / "dataset" / "dataset.json").read_text())
    assert facts["numTraining"] == 5 and "3 cases (real_*) are slices of patients" in facts["description"]
    assert "slices of patients" in (tmp_path / "dataset" / "README.md").read_text()
    header = nib.load(tmp_path / "dataset" / "labelsTr" / "real_00001.nii.gz").header
    assert bytes(header["descrip"]).rstrip(b"\0") == b"MosaicMR slice of a patient"


def test_channels_and_labels_follow_an_existing_data_set(tmp_path):
    like = tmp_path / "dataset.json"
    labels = {"background": 0, "oedema": 1, "necrosis": 2, "enhancing": 3, "cavity": 4}
    like.write_text(json.dumps({"channel_names": {"1": "FLAIR", "0": "T2w"}, "labels": labels}))
    export(tmp_path / "dataset", [batch(0, 1)], form=ExportFormat.like(like, HEADER, HEADER.classes))
    facts = json.loads((tmp_path / "dataset" / "dataset.json").read_text())
    assert facts["channel_names"] == {"0": "T2w", "1": "FLAIR"} and facts["labels"] == labels
    written = np.asarray(nib.load(tmp_path / "dataset" / "labelsTr" / "mosaic_00001.nii.gz").dataobj)[::-1, ::-1, 0].T
    assert written[2, 12:15].tolist() == [2, 1, 3]
    t2 = np.asarray(nib.load(tmp_path / "dataset" / "imagesTr" / "mosaic_00001_0000.nii.gz").dataobj)[::-1, ::-1, 0].T
    np.testing.assert_array_equal(t2, batch(0, 1).images[0, 1].astype(np.float32))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"labels": {}}, "lacks channel_names"),
        ([], "lacks channel_names"),
        ({"channel_names": ["FLAIR"], "labels": {"background": 0}}, "lacks channel_names"),
        ({"channel_names": {"first": "FLAIR"}, "labels": {"background": 0}}, "lacks channel_names"),
        (
            {"channel_names": {"0": "FLAIR", "1": "flair"}, "labels": {"background": 0}},
            "two channels of FLAIR, the second as 'flair'",
        ),
        ({"channel_names": {"0": "CT"}, "labels": {"background": 0}}, "channel 'CT'.*FLAIR, T2"),
        ({"channel_names": {"0": "T2"}, "labels": {"background": 0, "oedema": 1}}, "labels oedema, but not 'necrosis'"),
    ],
)
def test_a_data_set_that_does_not_fit_is_refused(content, words, tmp_path):
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=words):
        ExportFormat.like(tmp_path / "dataset.json", HEADER, HEADER.classes)


def test_real_slices_are_of_training_patients_only():
    shard = batch(0, 3)
    shard = replace(shard, table=shard.table.assign(subject=["S1", "S2", "S3"]))
    subjects = pd.DataFrame({"subject": ["S3", "S2", "S1"], "split": ["train", "test", "val"]})
    kept = training_slices_of(shard, subjects)
    assert kept.table["subject"].tolist() == ["S3"]
    np.testing.assert_array_equal(kept.images, shard.images[2:])


def test_the_readme_says_how_many_folds_there_are_and_whose_tumours_they_part(dataset, tmp_path):
    readme = (dataset / "README.md").read_text()
    assert "2 folds, 0 to 1" in readme and "nnUNetv2_train 123 2d 0" in readme and "patients:" not in readme
    chained = replace(batch(0, 2), table=batch(0, 2).table.assign(donor_patient=["P2", None]))
    export(tmp_path / "chained", [chained])
    assert "layouts.transplant" in (tmp_path / "chained" / "README.md").read_text()
    assert "layouts.transplant" not in readme
    export(tmp_path / "single", [batch(1, 2)])
    assert not (tmp_path / "single" / "splits_final.json").exists()
    assert "nnUNetv2_train 123 2d all" in (tmp_path / "single" / "README.md").read_text()


def test_the_first_fold_trains_on_most_cases():
    folds = split_folds(["a", "b", "c", "d"], ["g1", "g1", "g1", "g2"])
    assert folds == [{"train": ["a", "b", "c"], "val": ["d"]}, {"train": ["d"], "val": ["a", "b", "c"]}]


@pytest.mark.parametrize("slice_spacing", [6.0, 1.5, 0.5])
def test_the_axis_across_slices_has_the_largest_voxels(slice_spacing, tmp_path):
    export(tmp_path / "dataset", [batch(0, 1)], slice_spacing=slice_spacing)
    zooms = nib.load(tmp_path / "dataset" / "labelsTr" / "mosaic_00001.nii.gz").header.get_zooms()
    assert zooms[2] > zooms[0] == zooms[1] == 1.5


def test_geometry_is_the_same_in_nibabel_and_simpleitk(dataset):
    for path in dataset.rglob("*.nii.gz"):
        ours, theirs = nib.load(path), SimpleITK.ReadImage(str(path))
        assert theirs.GetSize() == ours.shape
        corner = np.array(ours.shape) - 1.0
        # SimpleITK's world is LPS, nibabel's RAS.
        place = np.array(theirs.TransformContinuousIndexToPhysicalPoint(corner.tolist())) * [-1, -1, 1]
        np.testing.assert_allclose(place, nib.affines.apply_affine(ours.affine, corner), atol=1e-4)
        voxels = SimpleITK.GetArrayFromImage(theirs).transpose(2, 1, 0)
        np.testing.assert_array_equal(voxels, np.asarray(ours.dataobj))


def test_the_bids_derivative_says_of_every_slice_how_it_was_made(tmp_path):
    facts = {"variant": "single", "strength": 1.0, "seed": 3, "experts": {"whole": "00ff"}}
    cases = cases_of([batch(0, 2)], [], ["group_001"] * 2)
    export_bids(tmp_path / "bids", cases, HEADER, HEADER.classes[1:], facts, 6.0)
    assert json.loads((tmp_path / "bids" / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    place = tmp_path / "bids" / "sub-mosaic00002" / "anat"
    names = [SUFFIXES["FLAIR"], SUFFIXES["T2"], "desc-synthetic_dseg"]
    assert sorted(path.name for path in place.iterdir()) == sorted(
        f"sub-mosaic00002_{name}{ending}" for name in names for ending in (".json", ".nii.gz")
    )
    for path in place.glob("*.json"):
        sidecar = json.loads(path.read_text())
        assert sidecar["synthetic"] is True and sidecar["prompt"] and facts.items() <= sidecar.items()
        assert sidecar["slice"] == "s00001"
        image = nib.load(path.with_suffix(".nii.gz"))
        (comment,) = image.header.extensions
        made = json.loads(comment.get_content())
        assert comment.get_code() == 6 and made.keys() == {"synthetic", "prompt", "slice", *facts}
        assert made.items() <= sidecar.items()
        # The voxels lie behind it, also for readers that do not know it.
        voxels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path.with_suffix(".nii.gz"))))
        np.testing.assert_array_equal(voxels.T, np.asarray(image.dataobj))
    segmentation = nib.load(place / "sub-mosaic00002_desc-synthetic_dseg.nii.gz")
    assert set(np.unique(np.asarray(segmentation.dataobj))) == {0, 1, 2}  # a class that does not occur is left out
    assert bytes(segmentation.header["descrip"]).startswith(b"MosaicMR synthetic slice")
    for path in tmp_path.rglob("*.*"):
        assert not path.is_file() or b"BraTS2021_00042" not in content_of(path)

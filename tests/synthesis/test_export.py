"""The exported set: nnU-Net's layout, orientation that a viewer shows correctly, and nothing of a patient."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.slice_set import SliceHeader, SliceSet
from mosaicmr.synthesis.export import export_dataset, to_nifti

HEADER = SliceHeader(("FLAIR", "T2"), 1.5, LabelScheme.named("brats2021").classes)
FACTS = (HEADER.classes, "independent", 6.0)


def batch(first, count):
    """Slices 12 x 16 with a tumour (classes 1 to 3) in the anterior left quarter of the head."""
    images = np.random.default_rng(first).random((count, 2, 12, 16)).astype(np.float16)
    labels = np.zeros((count, 12, 16), np.uint8)
    labels[:, 2, 12:15] = [1, 2, 3]  # rows from anterior, columns from the patient's right
    names = [f"s{index:05d}" for index in range(first, first + count)]
    table = pd.DataFrame(
        {"slice": names, "prompt_whole": "Whole slice, no tumour", "source_slice": "BraTS2021_00042-z070"}
    )
    return SliceSet(HEADER, table, {"images": images, "labels": labels})


@pytest.fixture
def dataset(tmp_path):
    export_dataset(tmp_path / "dataset", [batch(0, 2), batch(2, 1)], *FACTS)
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
    assert provenance.columns.tolist() == ["case", "slice", "prompt"]
    assert provenance["case"].tolist() == ["mosaic_00001", "mosaic_00002", "mosaic_00003"]
    assert provenance["slice"].tolist() == ["s00000", "s00001", "s00002"]
    for path in dataset.rglob("*"):
        assert not path.is_file() or b"BraTS2021_00042" not in path.read_bytes()


def test_the_same_slices_give_the_same_bytes(dataset, tmp_path):
    export_dataset(tmp_path / "again", [batch(0, 2), batch(2, 1)], *FACTS)
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
        export_dataset(dataset, [batch(0, 2)], HEADER.classes, "other", 6.0)

    assert json.loads((dataset / "dataset.json").read_text())["numTraining"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


def test_a_new_set_replaces_the_old(dataset):
    export_dataset(dataset, [batch(0, 1)], *FACTS)
    assert len(list((dataset / "labelsTr").iterdir())) == 1


def test_the_middle_of_a_slice_is_the_origin():
    affine = to_nifti(np.zeros((5, 7), np.uint8), 2.0, 3.0).affine
    assert np.allclose(affine @ [3, 2, 0, 1], [0, 0, 0, 1])

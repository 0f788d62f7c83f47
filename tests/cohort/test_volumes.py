"""Every file is read to its end and checked before anything is built on it."""

import gzip
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from mosaicmr.cohort.check import check_subject, check_subjects
from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.subject import Subject
from mosaicmr.cohort.volumes import load_volumes
from mosaicmr.errors import InputError
from mosaicmr.scans.brain import brain_mask, foreground
from mosaicmr.scans.findings import find_empty_masks
from mosaicmr.scans.image_files import read_image
from mosaicmr.scans.mask_checks import check_mask
from mosaicmr.sources.subjects import find_subjects
from tests.support.scans import PART_OF_TUMOUR, SHAPE, TUMOUR, make_volumes, write_nifti, write_scan

NAME = "BraTS2021_00001"
TWO = ["FLAIR", "T1ce"]


def check(folder, modalities=TWO, scheme="brats2021"):
    (subject,) = find_subjects(folder, modalities, scheme).require()
    load_volumes(subject, LabelScheme.named(scheme))  # raises where the check only says so
    return check_subject(subject, LabelScheme.named(scheme)).row


def test_volumes_are_measured_in_mm3(tmp_path):
    write_scan(tmp_path, NAME, TWO, voxel_size=(1.0, 2.0, 1.5))
    row = check(tmp_path)
    inner = np.zeros(SHAPE)[PART_OF_TUMOUR].size * 3.0
    whole = np.zeros(SHAPE)[TUMOUR].size * 3.0
    assert row["voxel_volume_mm3"] == pytest.approx(3.0)
    assert row["volume_enhancing_mm3"] == pytest.approx(inner)
    assert row["volume_oedema_mm3"] == pytest.approx(whole - inner)
    assert row["volume_necrosis_mm3"] == 0
    assert row["tumour_volume_mm3"] == pytest.approx(whole)


def test_a_subject_without_tumour_is_noted_but_passes(tmp_path):
    write_scan(tmp_path, NAME, TWO, labels=np.zeros(SHAPE, np.uint8))
    assert check(tmp_path)["tumour_volume_mm3"] == 0


def test_label_values_mean_what_the_scheme_says(tmp_path):
    labels = make_volumes()[1]
    write_scan(tmp_path, "BraTS-GLI-00001-100", TWO, labels=labels)
    row = check(tmp_path, scheme="brats2024-gli")
    assert row["volume_cavity_mm3"] > 0
    assert row["volume_enhancing_mm3"] == 0
    with pytest.raises(InputError, match="label 4.*brats2023"):
        check(tmp_path, scheme="brats2023")


def test_one_row_per_subject(tmp_path):
    for number in (1, 2):
        write_scan(tmp_path, f"BraTS2021_0000{number}", TWO)
    table, _, _ = check_subjects(find_subjects(tmp_path, TWO, "brats2021").require(), LabelScheme.named("brats2021"))
    assert len(table) == 2
    assert "BraTS" not in table.to_csv()


@pytest.mark.parametrize("kept", [0, 5, 0.5, -4])
def test_a_truncated_file_is_named_with_its_remedy(tmp_path, kept):
    file = write_scan(tmp_path, NAME, TWO)["T1ce"]
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content)) if 0 < kept < 1 else kept])
    with pytest.raises(InputError, match=r"_t1ce\.nii\.gz cannot be read.*again\.$") as error:
        check(tmp_path)
    assert "\n" not in str(error.value)


def test_a_truncated_uncompressed_file_is_refused(tmp_path):
    file = tmp_path / "a.nii"
    write_nifti(file, make_volumes()[0])
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match="truncated"):
        read_image(file)


def test_a_file_damaged_in_the_middle_is_refused(tmp_path):
    file = tmp_path / "a.nii.gz"
    write_nifti(file, make_volumes()[0])
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read_image(file)


def test_other_content_and_other_shapes_are_refused(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(b"no image at all" * 100))
    (tmp_path / "b.nii.gz").write_bytes(b"not even compressed")
    for name in "ab":
        with pytest.raises(InputError, match="cannot be read as NIfTI"):
            read_image(tmp_path / f"{name}.nii.gz")
    nib.save(nib.Nifti1Image(np.ones((4, 4, 4, 2), np.float32), np.eye(4)), tmp_path / "c.nii.gz")
    with pytest.raises(InputError, match="three axes"):
        read_image(tmp_path / "c.nii.gz")


def test_mismatched_shapes_and_positions_are_refused(tmp_path):
    files = write_scan(tmp_path, NAME, TWO)
    image = make_volumes()[0]
    write_nifti(files["T1ce"], image[:-1])
    with pytest.raises(InputError, match=r"_t1ce.*shape.*29, 36, 24.*30, 36, 24"):
        check(tmp_path)
    write_nifti(files["T1ce"], image, voxel_size=2.5)
    with pytest.raises(InputError, match="_t1ce.*lies elsewhere in space than .*_seg.*by up to"):
        check(tmp_path)


def test_files_of_one_grid_may_be_stored_along_different_axes(tmp_path):
    files = write_scan(tmp_path, NAME, TWO)
    image, labels = make_volumes()
    write_nifti(files["T1ce"], image, axes="LPS")
    (subject,) = find_subjects(tmp_path, TWO, "brats2021").require()
    volumes = load_volumes(subject, LabelScheme.named("brats2021"))
    np.testing.assert_array_equal(volumes.images[0], volumes.images[1])
    assert (volumes.labels > 0).sum() == (labels > 0).sum()


@pytest.mark.parametrize(("value", "message"), [(3, "label 3.*0, 1, 2, 4"), (1.5, "label 1.5: expected whole numbers")])
def test_labels_outside_the_scheme_are_refused(tmp_path, value, message):
    labels = make_volumes()[1].astype(np.float32)
    labels[TUMOUR] = value
    write_scan(tmp_path, NAME, TWO, labels=labels)
    with pytest.raises(InputError, match=message):
        check(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda image: np.where(image > 190, np.nan, image), "not finite"),
        (lambda image: np.zeros_like(image), "is empty"),
        (lambda image: np.where(image > 0, 7.0, 0.0).astype(np.float32), "same value 7"),
    ],
)
def test_unusable_intensities_are_refused(tmp_path, change, message):
    files = write_scan(tmp_path, NAME, TWO)
    write_nifti(files["T1ce"], change(make_volumes()[0]))
    with pytest.raises(InputError, match=rf"_t1ce\.nii\.gz .*{message}"):
        check(tmp_path)


def test_the_brain_is_one_piece_without_holes():
    images = np.zeros((1, 12, 12, 12), np.float32)
    images[0, 2:9, 2:9, 2:9] = 1
    images[0, 5, 5, 5] = 0
    images[0, 11, 11, 11] = 1
    mask = brain_mask(foreground(images, [0.0]))
    assert mask.sum() == 7**3
    assert mask[5, 5, 5]
    assert not mask[11, 11, 11]


@pytest.mark.parametrize("value", [np.float32(0.99999994), np.float32(1.0009), np.float32(0.9991)])
def test_labels_nearly_whole_are_rounded(tmp_path, value):
    labels = make_volumes()[1].astype(np.float32)
    labels[TUMOUR] = value
    write_scan(tmp_path, NAME, TWO, labels=labels)
    row = check(tmp_path)
    assert row["volume_necrosis_mm3"] == row["tumour_volume_mm3"] > 0


@pytest.mark.parametrize(("value", "shown"), [(0.99, "0.99"), (1.0012, "1.0012"), (2.0000999, None)])
def test_other_labels_are_shown_with_all_their_digits(tmp_path, value, shown):
    labels = make_volumes()[1].astype(np.float64)
    labels[TUMOUR] = value
    write_scan(tmp_path, NAME, TWO, labels=labels)
    if shown is None:
        assert check(tmp_path)["tumour_volume_mm3"] > 0
    else:
        with pytest.raises(InputError, match=f"has the label {re.escape(shown)}: expected whole numbers"):
            check(tmp_path)


def test_labels_with_a_slope_are_scaled(tmp_path):
    files = write_scan(tmp_path, NAME, TWO)
    expected = check(tmp_path)
    stored = nib.load(files["seg"])
    image = nib.Nifti1Image((np.asanyarray(stored.dataobj) * 10).astype(np.int16), stored.affine)
    data = bytearray(image.to_bytes())
    data[112:116] = np.float32(0.1).tobytes()
    files["seg"].write_bytes(gzip.compress(bytes(data)))
    assert check(tmp_path) == expected


@pytest.mark.parametrize(("share", "severity"), [(0.005, None), (0.05, "doubtful"), (0.2, "refused")])
def test_a_mask_beside_the_brain_is_doubtful_or_refused_by_its_share(share, severity):
    brain, mask = np.zeros((2, 10, 10, 20), bool)
    brain[..., :10] = True
    mask[:, :4, 5:10] = True
    outside = round(share * mask.sum() / (1 - share))
    mask[..., 10:].flat[:outside] = True
    findings = list(check_mask(mask, brain, Path("seg")))
    assert [finding.severity for finding in findings] == ([severity] if severity else [])
    assert all(f"{100 * outside / mask.sum():.3g} % of the mask lies where" in finding.reason for finding in findings)


@pytest.mark.parametrize(("share", "severity"), [(0.3, None), (0.4, "doubtful"), (0.6, "refused")])
def test_a_mask_is_doubtful_or_refused_by_its_size(share, severity):
    brain = np.ones((10, 10, 10), bool)
    mask = np.zeros_like(brain)
    mask[: int(10 * share)] = True
    assert [finding.severity for finding in check_mask(mask, brain, Path("seg"))] == ([severity] if severity else [])


def test_an_empty_mask_among_others_is_doubtful():
    table = pd.DataFrame({"subject": ["S1", "S2", "S3"], "tumour_volume_mm3": [10.0, 0.0, 5.0]})
    masks = {subject: Path(f"{subject}_seg.nii.gz") for subject in table["subject"]}
    (finding,) = find_empty_masks(table, masks)
    assert finding.severity == "doubtful"
    assert finding.sentence.startswith("S2_seg.nii.gz marks no tumour, but the masks of 2 of the 3 scans do: look")
    assert not find_empty_masks(table.assign(tumour_volume_mm3=0.0), masks)


def test_doubtful_findings_are_logged(tmp_path, caplog):
    write_scan(tmp_path, NAME, TWO)
    check(tmp_path)
    assert "_t1ce.nii.gz has the same voxels as" in caplog.text


def test_modalities_may_be_channels_of_one_file(tmp_path):
    files = write_scan(tmp_path, NAME, ["FLAIR"])
    image = nib.load(files["FLAIR"])
    voxels = np.asanyarray(image.dataobj)
    nib.save(nib.Nifti1Image(np.stack([voxels, voxels * 2 + 1], axis=-1), image.affine), files["FLAIR"])
    images = {"FLAIR": files["FLAIR"], "T1ce": files["FLAIR"]}
    volumes = load_volumes(
        Subject("S1", "P1", images, files["seg"], channels={"FLAIR": 0, "T1ce": 1}), LabelScheme.named("brats2021")
    )
    np.testing.assert_array_equal(volumes.images[1], volumes.images[0] * 2 + 1)

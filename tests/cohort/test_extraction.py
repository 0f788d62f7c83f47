"""Slices: the patient's right on the left of the picture, in mm, normalised, and only where there is tumour."""

from dataclasses import replace

import numpy as np
import pytest

from mosaicmr.cohort.extraction import SliceSettings, extract_shard
from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.errors import InputError
from mosaicmr.sources.subjects import find_subjects
from tests.support.scans import SHAPE, make_volumes, write_scan

SETTINGS = SliceSettings(
    slice_size=32,
    pixel_size=2.0,
    slice_spacing=2.0,
    min_tumour_area=1.0,
    max_slices_per_subject=100,
    intensity_percentiles=(1.0, 99.0),
)


def cut(folder, settings=SETTINGS, modalities=("FLAIR", "T1ce"), **scan):
    write_scan(folder, "BraTS2021_00001", modalities, **scan)
    return extract_shard(
        find_subjects(folder, modalities, "brats2021").require(), LabelScheme.named("brats2021"), modalities, settings
    )


def centre_of(mask):
    return np.argwhere(mask).mean(axis=0)


@pytest.mark.parametrize("axes", ["RAS", "LPS", "LAS", "PIR", "SAL"])
def test_a_tumour_on_the_left_and_in_front_is_drawn_right_and_on_top_however_it_is_stored(tmp_path, axes):
    slices = cut(tmp_path, axes=axes)
    row, column = centre_of(slices.labels[0] > 0)
    brain_row, brain_column = centre_of(slices.brain[0] > 0)
    assert row < brain_row - 2  # the tumour of the test scan lies in front
    assert column > brain_column + 2  # ... and at low x, the patient's left: the right half of the picture
    assert slices.table["height"].between(0.5, 1).all()  # ... and in the upper half
    bright = slices.images[0, 0].astype(np.float32) > 0.9
    np.testing.assert_allclose(centre_of(bright & (slices.brain[0] > 0)), centre_of(slices.labels[0] > 0), atol=0.5)


def test_every_way_of_storing_gives_the_same_slices(tmp_path):
    first = cut(tmp_path / "a", axes="RAS")
    second = cut(tmp_path / "b", axes="LPS")
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.table.equals(second.table)


def test_pixels_as_large_as_voxels_are_copied(tmp_path):
    image, labels = make_volumes()
    slices = cut(tmp_path)
    plane = int(slices.table["slice"][0].split("-z")[1])
    expected = labels[::-1, ::-1, plane].T > 0
    assert slices.labels.shape[1:] == (32, 32)
    assert (slices.labels[0] > 0).sum() == expected.sum()
    inside = slices.images[0, 0][slices.brain[0] > 0]
    source = image[::-1, ::-1, plane].T[image[::-1, ::-1, plane].T > 0]
    assert np.corrcoef(inside.astype(float), np.clip(source, *np.percentile(image[image > 0], (1, 99))))[0, 1] > 0.9999


def test_types_ranges_and_background(tmp_path):
    slices = cut(tmp_path)
    assert slices.images.dtype == np.float16
    assert slices.labels.dtype == slices.brain.dtype == np.uint8
    assert slices.images.min() == 0 and slices.images.max() == 1
    assert (slices.images[np.broadcast_to(slices.brain[:, None] == 0, slices.images.shape)] == 0).all()
    assert (slices.brain[slices.labels > 0] == 1).all()
    assert set(np.unique(slices.labels)) == {0, 2, 3}  # BraTS 2021's 4 is enhancing tumour, our 3
    assert list(slices.table["row"]) == list(range(len(slices.images)))


@pytest.mark.parametrize("pixel_size", [1.0, 3.0])
def test_resampling_keeps_areas_and_places_in_mm(tmp_path, pixel_size):
    labels = np.zeros(SHAPE, np.uint8)
    labels[7:19, 16:30, 10:12] = 1  # 24 by 28 mm, centred 4 mm to the left and 10 mm in front of the brain's centre
    settings = replace(SETTINGS, slice_size=int(64 / pixel_size), pixel_size=pixel_size)
    slices = cut(tmp_path, settings, labels=labels)
    assert slices.table["tumour_area_mm2"].to_numpy() == pytest.approx(24 * 28, rel=0.2)
    offset = (centre_of(slices.labels[0] > 0) - centre_of(slices.brain[0] > 0)) * pixel_size
    np.testing.assert_allclose(offset, (-10, 4), atol=2)
    parts = slices.table[[f"area_{name}_mm2" for name in ("necrosis", "oedema", "enhancing")]].sum(axis=1)
    np.testing.assert_allclose(parts, slices.table["tumour_area_mm2"])


def test_the_edge_of_the_brain_is_not_darkened_by_the_outside(tmp_path):
    image = np.where(make_volumes()[0] > 0, 150.0, 0).astype(np.float32)
    image[10, 10, 10], image[12, 12, 12] = 100, 200
    slices = cut(tmp_path, replace(SETTINGS, slice_size=20, pixel_size=3.3), image=image)
    inside = slices.images[:, 0][slices.brain > 0]
    assert np.percentile(inside, 5) == pytest.approx(np.median(inside), abs=0.02)


def test_planes_with_little_tumour_are_left_out(tmp_path):
    labels = np.zeros(SHAPE, np.uint8)
    for height, side in zip(range(6, 16), range(1, 11), strict=True):
        labels[8 : 8 + side, 8:10, height] = 2  # areas of 8, 16, ... 80 mm²
    slices = cut(tmp_path, replace(SETTINGS, min_tumour_area=48.0), labels=labels)
    assert sorted(slices.table["tumour_area_mm2"]) == [48, 56, 64, 72, 80]
    assert [name[-3:] for name in slices.table["slice"]] == ["011", "012", "013", "014", "015"]


def test_slices_lie_apart_in_mm_and_the_plane_with_most_tumour_is_among_them(tmp_path):
    labels = make_volumes()[1]
    labels[14:20, 10:16, 17] = 1
    slices = cut(tmp_path, replace(SETTINGS, slice_spacing=4.0), labels=labels)
    planes = [int(name[-3:]) for name in slices.table["slice"]]
    assert planes == [15, 17]


def test_at_most_so_many_slices_spread_over_the_tumour(tmp_path):
    slices = cut(tmp_path / "a", replace(SETTINGS, max_slices_per_subject=2))
    assert [int(name[-3:]) for name in slices.table["slice"]] == [15, 17]  # of 14 to 18
    slices = cut(tmp_path / "b", replace(SETTINGS, max_slices_per_subject=1))
    assert [int(name[-3:]) for name in slices.table["slice"]] == [16]


def test_a_shard_without_tumour_gives_valid_empty_arrays(tmp_path):
    full = cut(tmp_path / "a")
    empty = cut(tmp_path / "b", labels=np.zeros(SHAPE, np.uint8))
    assert empty.images.shape == (0, 2, 32, 32) and empty.images.dtype == np.float16
    assert empty.labels.shape == empty.brain.shape == (0, 32, 32)
    assert len(empty.table) == 0
    assert empty.table.dtypes.to_dict() == full.table.dtypes.to_dict()


def test_rows_count_through_the_subjects_of_a_shard(tmp_path):
    for number in (1, 2, 3):
        labels = np.zeros(SHAPE, np.uint8) if number == 2 else None
        write_scan(tmp_path, f"BraTS2021_0000{number}", ["T1"], labels=labels)
    slices = extract_shard(
        find_subjects(tmp_path, ["T1"], "brats2021").require(), LabelScheme.named("brats2021"), ["T1"], SETTINGS
    )
    assert slices.table["subject"].nunique() == 2
    assert list(slices.table["row"]) == list(range(10)) and len(slices.images) == 10
    assert "BraTS" not in slices.table.to_csv()


def test_a_brain_larger_than_a_slice_is_refused_with_the_keys_to_change(tmp_path):
    with pytest.raises(InputError, match=r"56 mm from front to back.*48 mm.*slice_size 24.*pixel_size 2"):
        cut(tmp_path, replace(SETTINGS, slice_size=24))


def test_more_than_a_brain_is_answered_by_skull_stripping_and_not_by_larger_slices(tmp_path):
    with pytest.raises(InputError, match=r"224 mm from front to back.*no brain is longer.*strip the skull"):
        cut(tmp_path, voxel_size=(2.0, 8.0, 2.0))


def test_settings_are_taken_from_the_configuration():
    names = SliceSettings.__dataclass_fields__
    config = dict.fromkeys(names, 1) | {"intensity_percentiles": [1, 99], "source": "phantom"}
    assert SliceSettings.from_config(config).intensity_percentiles == (1, 99)

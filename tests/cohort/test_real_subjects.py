"""The real subjects that MOSAICMR_BRATS_DIR names pass the whole room."""

import dataclasses

import numpy as np

from mosaicmr.cohort.check import check_subjects
from mosaicmr.cohort.extraction import SliceSettings, extract_shard
from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.sources.subjects import find_subjects

MODALITIES = ["FLAIR", "T1ce"]
SETTINGS = SliceSettings(
    slice_size=128,
    pixel_size=1.5,
    slice_spacing=9.0,
    min_tumour_area=150.0,
    max_slices_per_subject=3,
    intensity_percentiles=(0.5, 99.5),
)


def test_real_subjects_are_checked_and_cut(brats_dir):
    subjects = find_subjects(brats_dir, MODALITIES, "brats2021").require()[:2]
    table, _, _ = check_subjects(subjects, LabelScheme.named("brats2021"))
    assert table["tumour_volume_mm3"].between(1e3, 5e5).all()
    slices = extract_shard(subjects, LabelScheme.named("brats2021"), MODALITIES, SETTINGS)
    assert slices.table["subject"].nunique() == len(subjects)
    assert (slices.table["tumour_area_mm2"] >= 150).all()
    for subject in subjects:
        for identifier in (*subject.labels.stem.split("_")[:2], subject.labels.parent.name):
            assert identifier not in slices.table.to_csv()
    flair, tumour = slices.images[:, 0].astype(np.float32), slices.labels > 0
    assert flair[tumour].mean() > flair[(slices.brain > 0) & ~tumour].mean()


def test_a_larger_pixel_shows_the_same_anatomy(brats_dir):
    subjects = find_subjects(brats_dir, MODALITIES, "brats2021").require()[:1]
    coarse = dataclasses.replace(SETTINGS, slice_size=64, pixel_size=3.0)
    fine = extract_shard(subjects, LabelScheme.named("brats2021"), MODALITIES, SETTINGS)
    small = extract_shard(subjects, LabelScheme.named("brats2021"), MODALITIES, coarse)
    assert list(fine.table["slice"]) == list(small.table["slice"])
    halved = fine.images.astype(np.float32).reshape(len(fine.images), 2, 64, 2, 64, 2).mean(axis=(3, 5))
    assert np.corrcoef(halved.ravel(), small.images.astype(np.float32).ravel())[0, 1] > 0.98

"""The split keeps patients whole and its parts alike."""

import numpy as np
import pandas as pd
import pytest

from mosaicmr.cohort.selection import SPLITS
from mosaicmr.cohort.split import split_patients, split_sizes, split_subjects
from mosaicmr.errors import InputError

FRACTIONS = {"train": 0.6, "val": 0.2, "test": 0.2}
CLASSES = ("necrosis", "oedema", "enhancing")


def patients_with(volumes):
    """A table of patients from rows of class volumes."""
    table = pd.DataFrame(volumes, columns=[f"volume_{name}_mm3" for name in CLASSES], dtype=float)
    table["tumour_volume_mm3"] = table.sum(axis=1)
    table.index = pd.Index([f"P{number:04d}" for number in range(len(table))], name="patient")
    return table


def random_patients(count, seed=0, absent=0.15):
    rng = np.random.default_rng(seed)
    volumes = np.exp(rng.normal(9, 1, (count, 3)))
    volumes[:, [0, 2]] *= rng.random((count, 2)) > absent
    return patients_with(volumes)


def members(splits, split):
    return [patient for patient, where in splits.items() if where == split]


@pytest.mark.parametrize(
    ("count", "fractions", "expected"),
    [
        (5, (0.6, 0.2, 0.2), (3, 1, 1)),
        (3, (0.6, 0.2, 0.2), (1, 1, 1)),
        (4, (0.8, 0.1, 0.1), (2, 1, 1)),
        (12, (0.6, 0.15, 0.25), (7, 2, 3)),
        (12, (0.6, 0.2, 0.2), (7, 2, 3)),
        (10, (0.7, 0.1, 0.2), (7, 1, 2)),
        (1251, (0.7, 0.1, 0.2), (876, 125, 250)),
    ],
)
def test_sizes_follow_the_fractions_and_no_part_is_empty(count, fractions, expected):
    assert tuple(split_sizes(count, dict(zip(SPLITS, fractions, strict=True))).values()) == expected


def test_five_patients_give_three_one_and_one():
    splits = split_patients(random_patients(5), FRACTIONS, seed=1)
    assert [len(members(splits, split)) for split in SPLITS] == [3, 1, 1]


def test_volumes_are_balanced_where_a_random_split_is_lopsided():
    patients = random_patients(20)
    volume = patients["tumour_volume_mm3"]
    splits = split_patients(patients, FRACTIONS, seed=0)
    for split in SPLITS:
        assert volume[members(splits, split)].mean() == pytest.approx(volume.mean(), rel=0.15)


def test_every_part_has_every_class_if_there_are_three_carriers():
    volumes = np.full((9, 3), 1000.0)
    volumes[3:, 2] = 0  # only the first three enhance
    volumes[[0, 1, 2], 1] = [90000, 100, 50000]  # though balancing the volumes would put them together
    splits = split_patients(patients_with(volumes), FRACTIONS, seed=0)
    assert {splits[f"P000{number}"] for number in range(3)} == set(SPLITS)


@pytest.mark.parametrize(("carriers", "expected"), [(1, {"train"}), (2, {"train", "test"})])
def test_a_class_too_rare_for_all_parts_goes_to_training_then_to_the_test(carriers, expected):
    volumes = np.full((8, 3), 1000.0)
    volumes[carriers:, 0] = 0
    splits = split_patients(patients_with(volumes), FRACTIONS, seed=3)
    assert {splits[f"P000{number}"] for number in range(carriers)} == expected


def test_patients_without_tumour_never_fill_a_part():
    volumes = np.zeros((10, 3))
    volumes[[2, 5, 8]] = 1000
    splits = split_patients(patients_with(volumes), FRACTIONS, seed=0)
    assert {splits[f"P000{number}"] for number in (2, 5, 8)} == set(SPLITS)


def test_the_seed_decides_and_the_order_of_rows_does_not():
    patients = random_patients(10)
    first = split_patients(patients, FRACTIONS, seed=5)
    assert split_patients(patients.iloc[::-1], FRACTIONS, seed=5) == first
    assert any(split_patients(patients, FRACTIONS, seed=seed) != first for seed in range(6, 9))


def test_timepoints_of_a_patient_stay_together():
    patients = random_patients(6)
    rows = patients.reset_index().loc[[0, 0, 1, 2, 3, 3, 3, 4, 5]].reset_index(drop=True)
    rows["subject"] = [f"S{number}" for number in range(len(rows))]
    table = split_subjects(rows, FRACTIONS, seed=0)
    assert list(table["subject"]) == list(rows["subject"])
    assert (table.groupby("patient")["split"].nunique() == 1).all()
    assert set(table["split"]) == set(SPLITS)


def test_what_cannot_be_split_is_refused():
    with pytest.raises(InputError, match="2 patients: expected at least 3"):
        split_patients(random_patients(2), FRACTIONS, seed=0)
    two_tumours = patients_with(np.diag([500.0, 500.0, 0.0]))
    with pytest.raises(InputError, match="2 of 3 patients have a tumour"):
        split_patients(two_tumours, FRACTIONS, seed=0)


@pytest.mark.parametrize("fractions", [(0.6, 0.2, 0.3), (0.0, 0.8, 0.2), (0.8, 0.2, 0.0), (1.2, -0.4, 0.2)])
def test_fractions_must_be_positive_and_sum_to_one(fractions):
    with pytest.raises(InputError, match=r"cohort\.split"):
        split_sizes(10, dict(zip(SPLITS, fractions, strict=True)))


def test_two_patients_are_split_without_validation():
    fractions = {"train": 0.5, "val": 0.0, "test": 0.5}
    assert split_sizes(2, fractions) == {"train": 1, "val": 0, "test": 1}
    splits = split_patients(random_patients(2), fractions, seed=0)
    assert sorted(splits.values()) == ["test", "train"]
    with pytest.raises(InputError, match=r"expected at least 3, .*set cohort\.split\.val to 0"):
        split_patients(random_patients(2), FRACTIONS, seed=0)


def test_a_large_cohort_is_split_and_balanced():
    patients = random_patients(600)
    splits = split_patients(patients, FRACTIONS, seed=0)
    means = patients.groupby(pd.Series(splits)).mean() / patients.mean()
    assert means.to_numpy() == pytest.approx(1, abs=0.05)
    assert pd.Series(splits).value_counts().to_dict() == {"train": 360, "val": 120, "test": 120}

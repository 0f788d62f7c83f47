"""Radiomic features are pyradiomics' own, and their comparison keeps patients apart."""

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from radiomics.featureextractor import RadiomicsFeatureExtractor

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.slice_set import SliceHeader, SliceSet
from mosaicmr.evaluation.radiomics import batch_features, region_features
from mosaicmr.evaluation.radiomics_comparison import (
    classifier_row,
    compare_features,
    feature_vectors,
    frechet_radiomics_row,
    patient_folds,
)

CLASSES = ["firstorder", "glcm", "glrlm", "glszm"]


@pytest.fixture
def region():
    generator = np.random.default_rng(0)
    image = generator.uniform(size=(40, 40))
    rows, columns = np.mgrid[:40, :40]
    return image, (rows - 18) ** 2 + (columns - 22) ** 2 < 80


def long_table(values, patients, split="train"):
    """A long table of features f0, f1, ... from `values` [slices, features]."""
    return pd.DataFrame(
        [
            (f"{split}{row}", patient, split, "oedema", "T1", f"f{column}", value)
            for row, (vector, patient) in enumerate(zip(values, patients, strict=True))
            for column, value in enumerate(vector)
        ],
        columns=["slice", "patient", "split", "domain", "modality", "feature", "value"],
    )


def test_region_features_equal_those_of_the_extractor(region):
    image, mask = region
    extractor = RadiomicsFeatureExtractor(binCount=16, force2D=True, force2Ddimension=0, additionalInfo=False)
    extractor.disableAllFeatures()
    for name in CLASSES:
        extractor.enableFeatureClassByName(name)
    pair = [sitk.GetImageFromArray(array[None]) for array in (image, mask.astype(np.uint8))]
    for picture in pair:
        picture.SetSpacing((1.5, 1.5, 1.0))
    theirs = {name.removeprefix("original_"): float(value) for name, value in extractor.execute(*pair).items()}
    ours = region_features(image, mask, CLASSES, bin_count=16, pixel_size=1.5)
    assert ours == pytest.approx(theirs)
    assert len(ours) > 60


def test_small_domains_and_undefined_values_are_left_out(region):
    image, mask = region
    domains = np.where(mask, 1, 0).astype(np.uint8)
    domains[0, :5] = 2
    table = pd.DataFrame({"slice": ["s"], "patient": ["p"], "split": ["train"], "height": [0.5]})
    header = SliceHeader(("T1", "T2"), 1.5, LabelScheme.named("brats2021").classes, ("oedema", "necrosis"))
    images = np.stack([image, np.full_like(image, 0.5)])[None]
    batch = SliceSet(header, table, {"images": images, "domains": domains[None]})
    features = batch_features(batch, ["firstorder", "glcm"], 16)
    assert set(features["domain"]) == {"oedema"}
    assert set(features["modality"]) == {"T1", "T2"}
    assert np.isfinite(features["value"]).all()
    assert set(features[["slice", "patient", "split"]].iloc[0]) == {"s", "p", "train"}


def test_shifted_features_are_found_and_others_are_not():
    generator = np.random.default_rng(0)
    real, other = generator.normal(3.0, 2.0, size=(60, 20)), generator.normal(3.0, 2.0, size=(50, 20))
    other[:, 0] += 4.0
    table = compare_features(long_table(real, range(60)), long_table(other, range(50), "x")).set_index("feature")
    assert table.loc["f0", "wasserstein"] == pytest.approx(2.0, rel=0.25)
    assert table.loc["f0", "q"] < 0.001
    assert (table.drop("f0")["q"] > 0.05).all()
    assert (table["q"] >= table["p"]).all()


@pytest.mark.parametrize(("shift", "low", "high"), [(0.0, 0.3, 0.7), (3.0, 0.97, 1.0)])
def test_the_classifier_tells_only_different_distributions_apart(shift, low, high):
    generator = np.random.default_rng(0)
    patients = np.repeat(np.arange(8), 10)
    real = long_table(generator.normal(size=(80, 10)), patients)
    other = long_table(generator.normal(size=(80, 10)) + shift, patients, "x")
    vectors = feature_vectors(real, other)
    row = classifier_row(*vectors, resamples=50, seed=1)
    assert low < row["value"] <= high
    assert row["low"] <= row["value"] <= row["high"]
    assert row["n"] == 8
    distance = frechet_radiomics_row(*vectors, seed=1)
    assert distance["value"] == pytest.approx(shift**2, abs=1.0)


@pytest.mark.parametrize("shared", [True, False])
def test_no_patient_is_on_both_sides_of_a_fold(shared):
    is_other = np.repeat([False, True], 30)
    patients = np.tile(np.arange(30) // 5, 2) + (0 if shared else 10 * is_other)
    folds = patient_folds(is_other, patients.astype(str), seed=1)
    assert len(folds) >= 2
    assert sorted(np.concatenate([unseen for _, unseen in folds])) == list(range(60))
    for training, unseen in folds:
        assert not set(patients[training]) & set(patients[unseen])


def test_one_patient_gives_a_reason_instead_of_an_area():
    generator = np.random.default_rng(0)
    vectors = feature_vectors(
        long_table(generator.normal(size=(6, 3)), [0, 0, 0, 1, 1, 2]),
        long_table(generator.normal(size=(4, 3)), [7] * 4, "val"),
    )
    row = classifier_row(*vectors, resamples=50, seed=1)
    assert np.isnan(row["value"])
    assert "two patients" in row["why"]
    assert np.isnan(frechet_radiomics_row(*vectors, seed=1)["low"])


def test_features_of_rare_domains_do_not_enter_the_vectors():
    generator = np.random.default_rng(0)
    real = long_table(generator.normal(size=(10, 2)), range(10))
    rare = real[(real["feature"] != "f1") | (real["slice"].isin(["train0", "train1"]))]
    vectors, patients, is_other = feature_vectors(rare, real.assign(slice=real["slice"] + "x"))
    assert [column[2] for column in vectors.columns] == ["f0"]
    assert vectors[~is_other].mean().item() == pytest.approx(0, abs=1e-9)
    assert len(patients) == 20

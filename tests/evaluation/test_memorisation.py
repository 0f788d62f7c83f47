"""Copies of training slices are flagged, slices of new patients are not."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from mosaicmr.evaluation.feature_set import FeatureSet, textures_of
from mosaicmr.evaluation.memorisation import measure_memorisation


def feature_set(seed, patients, split):
    """Ten slices a patient with random features and smooth random textures."""
    generator = np.random.default_rng(seed)
    count = 10 * len(patients)
    table = pd.DataFrame(
        {
            "slice": [f"{split}{row}" for row in range(count)],
            "patient": np.repeat(patients, 10),
            "split": split,
            "height": 0.5,
        }
    )
    textures = gaussian_filter(generator.uniform(size=(count, 2, 32, 32)), (0, 0, 2, 2)).astype(np.float32)
    return FeatureSet(table, generator.normal(size=(count, 2, 16)).astype(np.float32), textures, np.zeros((count, 4)))


def joined(*sets):
    arrays = {
        name: np.concatenate([getattr(one, name) for one in sets]) for name in ("efficientnet", "textures", "steps")
    }
    return FeatureSet(pd.concat([one.table for one in sets], ignore_index=True), **arrays)


@pytest.fixture
def real():
    return joined(
        feature_set(0, list("abc"), "train"), feature_set(1, list("de"), "val"), feature_set(2, ["f"], "test")
    )


def synthetic_from(real, **changed):
    train = real.of("train")
    table = train.table.assign(split="synthetic", slice=[f"s{row}" for row in range(len(train))])
    arrays = {"efficientnet": train.efficientnet, "textures": train.textures, "steps": train.steps}
    return FeatureSet(table, **(arrays | changed))


def test_exact_copies_are_flagged_with_the_slice_they_copy(real):
    row, neighbours = measure_memorisation(synthetic_from(real), real, resamples=50, seed=1)
    assert row["value"] == 1.0
    assert neighbours["neighbour"].tolist() == real.of("train").table["slice"].tolist()
    assert neighbours["distance"].max() == pytest.approx(0, abs=1e-6)


def test_a_mirrored_copy_and_one_seen_by_a_single_descriptor_are_flagged(real):
    generator = np.random.default_rng(5)
    train = real.of("train")
    foreign = generator.normal(size=train.efficientnet.shape)
    mirrored = synthetic_from(real, textures=train.textures[..., ::-1], efficientnet=foreign)
    assert measure_memorisation(mirrored, real, resamples=50, seed=1)[0]["value"] == 1.0
    redrawn = gaussian_filter(generator.uniform(size=train.textures.shape), (0, 0, 2, 2))
    assert measure_memorisation(synthetic_from(real, textures=redrawn), real, resamples=50, seed=1)[0]["value"] == 1.0


def test_new_slices_are_copies_as_rarely_as_those_of_new_patients(real):
    row, neighbours = measure_memorisation(feature_set(7, list("abc"), "synthetic"), real, resamples=50, seed=1)
    assert row["value"] < 0.25
    assert row["n"] == 3
    assert neighbours["is_copy"].mean() == pytest.approx(row["value"])


def test_the_floor_passes_over_the_patient_itself(real):
    row, neighbours = measure_memorisation(None, real, resamples=50, seed=1)
    assert row["value"] < 0.25
    assert (neighbours["patient"] != neighbours["neighbour_patient"]).all()
    assert len(neighbours) == 30


def test_without_held_out_or_other_patients_there_is_a_reason(real):
    row, neighbours = measure_memorisation(None, real.of("train"), resamples=50, seed=1)
    assert np.isnan(row["value"])
    assert "held-out" in row["why"]
    assert neighbours.empty
    alone = joined(feature_set(0, ["a"], "train"), feature_set(1, ["b"], "val"))
    row, _ = measure_memorisation(None, alone, resamples=50, seed=1)
    assert "one training patient" in row["why"]


def test_texture_is_what_a_slice_shows_beyond_its_layout():
    domains = np.zeros((1, 16, 16), np.uint8)
    domains[:, 2:8, 2:14], domains[:, 8:14, 2:14] = 1, 2
    layout_only = (0.3 * domains)[:, None]
    np.testing.assert_allclose(textures_of(layout_only, domains), 0, atol=1e-6)
    texture = np.random.default_rng(0).normal(size=(1, 1, 16, 16)) * 0.1
    np.testing.assert_allclose(textures_of(layout_only + texture, domains), textures_of(texture, domains), atol=1e-6)

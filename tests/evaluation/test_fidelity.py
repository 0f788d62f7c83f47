"""Fidelity rows of variants and of the floor, from features of network, file and slices."""

import hashlib

import numpy as np
import pandas as pd
import pytest
import torch

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.slice_set import PIECE, SliceHeader, SliceSet
from mosaicmr.errors import InputError
from mosaicmr.evaluation import inception
from mosaicmr.evaluation.feature_set import FeatureSet, join_features, load_features, measure_features, save_features
from mosaicmr.evaluation.features import efficientnet_features, load_efficientnet
from mosaicmr.evaluation.fidelity import floor_rows, ssim_rows, variant_rows
from mosaicmr.evaluation.intervals import metric_table
from mosaicmr.evaluation.slices import count_pieces, describe_slices, pick_slices, read_pieces
from mosaicmr.io import save_arrays

HEADER = SliceHeader(("T1",), 1.0, LabelScheme.named("brats2021").classes)


def features_of(patients, split, seed, shift=0.0, slices=6, inception=False):
    generator = np.random.default_rng(seed)
    names = np.repeat(patients, slices)
    table = pd.DataFrame(
        {"slice": [f"{split}{row}" for row in range(len(names))], "patient": names, "split": split, "height": 0.5}
    )
    vectors = generator.normal(shift, size=(len(names), 2, 12))
    steps = np.tile([4.0, 20.0, 3.0, 20.0], (len(names), 1))
    return FeatureSet(table, vectors, np.zeros((len(names), 2, 8, 8)), steps, vectors if inception else None)


def cohort(train, inception=False):
    parts = [features_of(train, "train", 0), features_of(["v"], "val", 1), features_of(["t"], "test", 2)]
    joined = join_features(parts)
    return FeatureSet(joined.table, joined.efficientnet, joined.textures, joined.steps,
                      joined.efficientnet if inception else None)  # fmt: skip


def test_a_variant_gets_every_distance_and_a_shift_raises_them():
    real = cohort(list("abcd"), inception=True)
    rows = {
        shift: metric_table(
            variant_rows(features_of(list("abcd"), "synthetic", 5, shift, inception=True), real, kid_subset=6, seed=1)
        ).set_index("metric")
        for shift in (0.0, 2.0)
    }
    names = ["fid", "frechet_efficientnet_train", "frechet_efficientnet_test", "kid_test", "seam_index"]
    assert list(rows[0.0].index) == names
    assert (rows[2.0]["value"][names[:4]] > rows[0.0]["value"][names[:4]] + 1).all()
    near = rows[0.0].loc["frechet_efficientnet_train"]
    assert near["low"] < near["value"] < near["high"]
    assert rows[0.0].loc["seam_index", "value"] == pytest.approx(1.0)
    assert (rows[0.0]["why"] == "").all()


def test_one_test_patient_gives_a_distance_without_an_interval():
    rows = metric_table(variant_rows(features_of(list("abc"), "synthetic", 5), cohort(list("abc")), 6, 1))
    test = rows.set_index("metric").loc["frechet_efficientnet_test"]
    assert np.isfinite(test["value"])
    assert np.isnan(test["low"])
    assert test["n"] == 1, "the side with the fewest patients says why there is no interval"


def test_without_an_inception_file_the_fid_says_why():
    for rows in (
        variant_rows(features_of(["a"], "synthetic", 5), cohort(["a"]), 6, 1),
        floor_rows(cohort(["a"]), 6, 1),
    ):
        fid = metric_table(rows).set_index("metric").loc["fid"]
        assert np.isnan(fid["value"])
        assert "inception_weights" in fid["why"]


def test_the_floor_compares_halves_of_the_training_patients():
    table = metric_table(floor_rows(cohort(list("abcdef")), 6, 1)).set_index("metric")
    halves = table.loc["frechet_efficientnet_train"]
    assert 0 < halves["low"] < halves["value"] < halves["high"]
    alone = metric_table(floor_rows(cohort(["a"]), 6, 1)).set_index("metric").loc["frechet_efficientnet_train"]
    assert "two" in alone["why"]


def test_ssim_rows_are_means_over_pairs_or_say_why():
    pairs = pd.DataFrame({"patient": list("aabc"), "ssim_brain": [0.2, 0.4, 0.6, 0.8], "ssim_slice": 0.9})
    assert ssim_rows(pairs, 50, 1)[0]["value"] == pytest.approx(0.5)
    assert "pair" in ssim_rows(pairs[:0], 50, 1)[0]["why"]


def test_efficientnet_features_are_of_each_modality_alone():
    network = load_efficientnet()
    images = np.random.default_rng(0).uniform(size=(2, 2, 32, 32)).astype(np.float16)
    images[1, 1] = images[0, 0]
    features = efficientnet_features(network, images)
    assert features.shape == (2, 2, 1280)
    np.testing.assert_allclose(features[1, 1], features[0, 0], atol=1e-5)
    assert np.abs(features[0, 0] - features[0, 1]).max() > 0.01


class TinyInception(torch.nn.Module):
    def forward(self, images: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        assert images.dtype == torch.uint8
        return images.float().mean(dim=(2, 3)).repeat(1, 4)


def test_an_inception_file_is_loaded_only_if_its_digest_matches(tmp_path, monkeypatch):
    path = tmp_path / "inception.pt"
    torch.jit.script(TinyInception()).save(str(path))
    with pytest.raises(InputError, match="SHA-256"):
        inception.load_inception(path)
    with pytest.raises(InputError, match="cannot be read"):
        inception.load_inception(tmp_path / "missing.pt")
    monkeypatch.setattr(inception, "INCEPTION_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    features = inception.inception_features(inception.load_inception(path), np.full((3, 2, 16, 16), 0.5))
    assert features.shape == (3, 2, 12)
    assert np.all(features == 128)


def test_a_large_shard_is_read_in_pieces_that_are_together_the_shard(tmp_path):
    count = 2 * PIECE + 3
    images = np.random.default_rng(0).uniform(size=(count, 1, 4, 4)).astype(np.float16)
    maps = np.ones((count, 4, 4), np.uint8)
    names = [f"s{row}" for row in range(count)]
    table = pd.DataFrame({"slice": names, "subject": "p-1", "patient": "p", "row": range(count), "height": 0.5})
    SliceSet(HEADER, table, {"images": images, "brain": maps}).save(tmp_path / "a.safetensors")
    save_arrays(tmp_path / "d.safetensors", {"domains": maps}, HEADER.metadata)
    subjects = pd.DataFrame({"subject": ["p-1"], "split": ["train"]})
    sets = SliceSet.open_all([tmp_path / "a.safetensors"], [tmp_path / "d.safetensors"])
    pieces = list(read_pieces(sets, subjects))
    assert [len(piece) for piece in pieces] == [PIECE, PIECE, 3]
    assert count_pieces(sets) == 3
    np.testing.assert_array_equal(np.concatenate([piece.images for piece in pieces]), images)
    assert [name for piece in pieces for name in piece.table["slice"]] == names


def test_features_survive_the_disk_and_slices_know_their_split(tmp_path):
    images = np.random.default_rng(0).uniform(size=(3, 1, 16, 16)).astype(np.float16)
    domains, brain = np.ones((3, 16, 16), np.uint8), np.ones((3, 16, 16), np.uint8)
    table = pd.DataFrame(
        {"slice": ["x", "y", "z"], "subject": "p-1", "patient": "p", "row": range(3), "height": [0.1, 0.2, 0.3]}
    )
    slices = SliceSet(HEADER, table, {"images": images, "brain": brain, "domains": domains})
    subjects = pd.DataFrame({"subject": ["p-1"], "split": ["val"]})
    (batch,) = read_pieces([slices], subjects)
    np.testing.assert_array_equal(batch.images, images)
    assert batch.table["split"].unique().tolist() == ["val"]
    assert list(read_pieces([slices.keep(np.arange(0))], subjects)) == []
    features = measure_features(batch, load_efficientnet(), None, "cpu")
    save_features(tmp_path / "f.safetensors", tmp_path / "f.parquet", features)
    back = load_features(tmp_path / "f.safetensors", tmp_path / "f.parquet")
    np.testing.assert_array_equal(back.efficientnet, features.efficientnet)
    assert back.inception is None
    assert len(back.of("val")) == 3
    assert len(back.of("train")) == 0


def test_synthetic_slices_belong_to_their_source_patient():
    layouts = pd.DataFrame({"slice": ["s1"], "patient": ["p"], "row": [0], "height": [0.4]})
    assert describe_slices(layouts, None).iloc[0].to_dict() == {
        "slice": "s1", "patient": "p", "split": "synthetic", "height": 0.4,
    }  # fmt: skip


def test_slices_are_picked_evenly_over_patients():
    table = pd.DataFrame({"patient": ["a"] * 20 + ["b"] * 5 + ["c"]})
    picked = table.iloc[pick_slices(table, 9, seed=1)]["patient"].value_counts()
    assert picked.to_dict() == {"a": 4, "b": 4, "c": 1}
    assert len(pick_slices(table, 100, seed=1)) == 26


def test_a_batch_keeps_by_position_and_by_mask():
    table = pd.DataFrame({"slice": list("abc"), "patient": "p", "split": "train", "height": 0.5})
    batch = SliceSet(HEADER, table, {"images": np.arange(3)[:, None], "domains": np.arange(3)})
    assert batch.keep(np.array([2, 0])).table["slice"].tolist() == ["c", "a"]
    assert batch.keep(np.array([True, False, True])).domains.tolist() == [0, 2]

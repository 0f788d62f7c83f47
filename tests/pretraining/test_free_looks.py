"""Tumours whose looks are drawn anew: every word as often, beside any other, and nothing else changes."""

import numpy as np
import pytest

from mosaicmr.cohort.labels import NECROSIS
from mosaicmr.pretraining.bank import BankSettings, simulate_shard
from mosaicmr.pretraining.free_looks import draw_brightness, free_some_looks
from mosaicmr.pretraining.unet_sets import MODALITIES
from mosaicmr.prompts.looks import LookScale, measure_regions
from mosaicmr.simulation.anatomy import load_anatomy

BANK = BankSettings("patients", shards=1, slices=36, size=64, pixel_size=3.0, free_contrast=0.0, trains=())


@pytest.fixture(scope="module")
def shard() -> dict[str, np.ndarray]:
    return simulate_shard(load_anatomy(), BANK, 1, 0)


def regions_of(shard: dict[str, np.ndarray]) -> list:
    pairs = zip(shard["images"], shard["labels"], strict=True)
    return [measure_regions(images / 255, labels, MODALITIES, BANK.pixel_size) for images, labels in pairs]


@pytest.fixture(scope="module")
def scale(shard: dict[str, np.ndarray]) -> LookScale:
    return LookScale.fit(regions_of(shard))


def freed(shard: dict[str, np.ndarray], scale: LookScale, share: float, seed: int = 1) -> dict[str, np.ndarray]:
    changed = {name: value.copy() for name, value in shard.items()}
    free_some_looks(changed, MODALITIES, BANK.pixel_size, scale, share, np.random.default_rng(seed))
    return changed


def test_looks_no_longer_go_together(shard: dict[str, np.ndarray], scale: LookScale) -> None:
    def agreement(shards: list[dict[str, np.ndarray]]) -> float:
        """Agreement of the brightness of necrosis, which is much water, on T1 and on FLAIR."""
        tables = [
            regions.set_index(["tumour_class", "modality"])["mean"] for one in shards for regions in regions_of(one)
        ]
        seen = [table[NECROSIS.value] for table in tables if NECROSIS.value in table]
        return float(np.corrcoef([(one["T1"], one["FLAIR"]) for one in seen], rowvar=False)[0, 1])

    assert agreement([shard]) > 0.6, "a simulated patient's sequences show one tissue"
    assert abs(agreement([freed(shard, scale, 1.0, seed) for seed in range(6)])) < 0.3


def test_every_word_is_drawn_about_equally_often(shard: dict[str, np.ndarray], scale: LookScale) -> None:
    darker = {name: value.copy() for name, value in shard.items()}
    darker["images"] = darker["images"] // 4 * 3

    def shares(slices: dict[str, np.ndarray]) -> np.ndarray:
        looks = [look for regions in regions_of(slices) for look in scale.describe(regions)]
        return np.bincount([look.brightness for look in looks], minlength=3) / len(looks)

    assert shares(darker)[0] > 0.8
    assert shares(freed(darker, scale, 1.0)).min() > 0.2


def test_only_the_tumour_and_its_border_change(shard: dict[str, np.ndarray], scale: LookScale) -> None:
    changed = freed(shard, scale, 1.0)
    for before, after, labels, brain in zip(
        shard["images"], changed["images"], shard["labels"], shard["brain"], strict=True
    ):
        rows, columns = np.nonzero(labels)
        near = np.zeros(labels.shape, bool)
        for row, column in zip(rows, columns, strict=True):
            near[max(0, row - 4) : row + 5, max(0, column - 4) : column + 5] = True
        assert (before[:, ~near] == after[:, ~near]).all()
        assert (after[:, brain == 0] == 0).all()


def test_a_share_of_the_slices_is_left_alone(shard: dict[str, np.ndarray], scale: LookScale) -> None:
    changed = freed(shard, scale, 0.5)
    same = [(one == other).all() for one, other in zip(shard["images"], changed["images"], strict=True)]
    assert 0.25 < np.mean(same) < 0.75


def test_brightness_is_drawn_by_the_thirds() -> None:
    generator = np.random.default_rng(0)
    drawn = np.array([draw_brightness((0.4, 0.5), generator) for _ in range(3000)])
    shares = [np.mean(drawn < 0.4), np.mean((drawn >= 0.4) & (drawn < 0.5)), np.mean(drawn >= 0.5)]
    np.testing.assert_allclose(shares, 1 / 3, atol=0.04)

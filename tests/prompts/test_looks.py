"""Looks are measured per class and modality, and words are thirds of what the scale was fitted on."""

import numpy as np
import pandas as pd

from mosaicmr.cohort.labels import ENHANCING, OEDEMA, TUMOUR_CLASSES
from mosaicmr.prompts.looks import Look, LookScale, measure_regions, read_looks, tabulate_looks

MODALITIES = ("FLAIR", "T2")


def a_slice(oedema: float, deviation: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Images [2, 16, 16] whose oedema has that mean and deviation in FLAIR, and labels with one pixel of necrosis."""
    labels = np.zeros((16, 16), np.uint8)
    labels[4:10, 4:10] = 2
    labels[0, 0] = 1
    images = np.full((2, 16, 16), 0.5)
    images[0, 4:10, 4:10] = oedema + deviation * np.where(np.arange(6) % 2, 1, -1)
    return images, labels


def fitted(values: np.ndarray) -> LookScale:
    tables = [measure_regions(*a_slice(value, 0.1 * value), MODALITIES, 1.0) for value in values]
    return LookScale.fit(tables)


def test_mean_and_deviation_are_those_of_the_class_in_each_modality():
    table = measure_regions(*a_slice(0.7, 0.1), MODALITIES, 1.0)
    assert list(table["tumour_class"]) == [2, 2] and list(table["modality"]) == ["FLAIR", "T2"]
    np.testing.assert_allclose(table["mean"], [0.7, 0.5])
    np.testing.assert_allclose(table["deviation"], [0.1, 0.0])


def test_regions_too_small_to_have_a_texture_are_left_out():
    assert 1 not in set(measure_regions(*a_slice(0.7), MODALITIES, 1.0)["tumour_class"])
    assert 1 in set(measure_regions(*a_slice(0.7), MODALITIES, 5.0)["tumour_class"])


def test_without_any_region_no_word_has_a_meaning():
    without_tumour = measure_regions(np.zeros((2, 8, 8)), np.zeros((8, 8), np.uint8), MODALITIES, 1.0)
    assert LookScale.fit([without_tumour]) == LookScale.fit([]) == LookScale({})


def test_each_word_is_true_of_a_third_of_what_the_scale_was_fitted_on():
    values = np.linspace(0.1, 0.9, 12)
    scale = fitted(values)
    looks = [scale.describe(measure_regions(*a_slice(value, 0.1 * value), MODALITIES, 1.0))[0] for value in values]
    assert [look.brightness for look in looks] == [0] * 4 + [1] * 4 + [2] * 4
    assert [look.texture for look in looks] == [0] * 6 + [1] * 6


def test_a_kind_of_region_without_a_scale_has_no_look():
    scale = fitted(np.array([0.2, 0.5]))
    assert scale.bounds == {}
    assert scale.describe(measure_regions(*a_slice(0.7), MODALITIES, 1.0)) == ()


def test_a_scale_survives_its_file():
    scale = fitted(np.linspace(0.1, 0.9, 9))
    again = LookScale.from_records(scale.records())
    assert again == scale
    assert again.describe(measure_regions(*a_slice(0.9), MODALITIES, 1.0))[0] == Look(2, "FLAIR", 2, 0)


def test_looks_survive_a_table_and_what_has_none_is_missing_there():
    looks = (Look(2, "FLAIR", 2, 0), Look(2, "T2", 0, 1))
    words = tabulate_looks(looks, [OEDEMA, ENHANCING], MODALITIES)
    assert words["brightness_oedema_FLAIR"] == "bright" and words["texture_oedema_T2"] == "heterogeneous"
    assert words["brightness_enhancing_T2"] is None and len(words) == 8
    for row in (words, pd.DataFrame([words]).astype("string").iloc[0]):
        assert read_looks(row, TUMOUR_CLASSES, MODALITIES) == looks

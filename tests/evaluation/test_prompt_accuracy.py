"""Asked words against measured words, on slices whose looks are known."""

import numpy as np
import pandas as pd
import pytest

from mosaicmr.cohort.labels import ENHANCING, OEDEMA, LabelScheme
from mosaicmr.cohort.slice_set import SliceHeader, SliceSet
from mosaicmr.evaluation.prompt_accuracy import accuracy_metrics, chance_agreement, compare_looks, unasked_metrics
from mosaicmr.evaluation.summary import SUBSET_METRICS
from mosaicmr.prompts.looks import Look, LookScale, tabulate_looks

MODALITIES = ["FLAIR", "T2"]
GREYS = (0.2, 0.5, 0.8)  # one in each third
SCALE = LookScale({(value, modality): (0.3, 0.6, 0.05) for value in (2, 3) for modality in MODALITIES})
HEADER = SliceHeader(tuple(MODALITIES), 1.0, LabelScheme.named("brats2021").classes)


def drawn_batch(asked, drawn, heterogeneous=False) -> SliceSet:
    """Slices with oedema of 36 mm² whose asked and drawn third in FLAIR are given; T2 is asked and drawn dark."""
    labels = np.zeros((len(asked), 16, 16), np.uint8)
    labels[:, 4:10, 4:10] = 2
    images = np.full((len(asked), 2, 16, 16), GREYS[0], np.float16)
    for image, third in zip(images, drawn, strict=True):
        image[0, 4:10, 4:10] = GREYS[third] + heterogeneous * 0.1 * np.where(np.arange(6) % 2, 1, -1)
    looks = [(Look(2, "FLAIR", third, 0), Look(2, "T2", 0, 0)) for third in asked]
    words = pd.DataFrame([tabulate_looks(one, [OEDEMA, ENHANCING], MODALITIES) for one in looks]).astype("string")
    names = {"slice": [f"s{row}" for row in range(len(asked))], "patient": [f"p{i % 4}" for i in asked]}
    table = pd.concat([pd.DataFrame(names | {"row": range(len(asked))}), words], axis=1)
    return SliceSet(HEADER, table, {"images": images, "labels": labels})


def metrics_of(asked, drawn, **kwargs) -> pd.DataFrame:
    looks = compare_looks([drawn_batch(asked, drawn, **kwargs)], SCALE)
    return accuracy_metrics(looks, seed=1, resamples=50).set_index("metric")


def test_each_asked_look_is_compared_with_that_of_its_own_slice():
    looks = compare_looks([drawn_batch([0, 1, 2], [0, 2, 2])], SCALE)
    flair = looks[looks["modality"] == "FLAIR"].set_index("slice").sort_index()
    assert flair["asked_brightness"].tolist() == [0, 1, 2] and flair["measured_brightness"].tolist() == [0, 2, 2]
    assert len(looks) == 6 and set(looks["tumour_class"]) == {"oedema"}


def test_the_accuracy_is_the_share_of_asked_words_that_are_measured():
    metrics = metrics_of([0, 1, 2, 0], [0, 2, 2, 1])["value"]
    assert metrics["prompt_brightness_oedema_FLAIR"] == 0.5
    assert metrics["prompt_brightness_oedema_T2"] == 1
    assert metrics["prompt_brightness"] == pytest.approx(0.75)
    assert metrics["prompt_texture"] == 1


def test_a_texture_that_was_not_asked_for_is_counted():
    metrics = metrics_of([0, 1, 2], [0, 1, 2], heterogeneous=True)["value"]
    assert metrics["prompt_texture_oedema_FLAIR"] == 0 and metrics["prompt_texture_oedema_T2"] == 1
    assert metrics["prompt_brightness"] == 1


def test_a_variant_that_always_draws_the_same_is_as_good_as_chance():
    metrics = metrics_of([0, 1, 2] * 4, [2] * 12)["value"]
    assert metrics["prompt_brightness_oedema_FLAIR"] == pytest.approx(1 / 3)
    assert metrics["prompt_brightness_chance_oedema_FLAIR"] == pytest.approx(1 / 3)
    assert metrics["prompt_brightness_chance_oedema_T2"] == 1  # what is always asked and drawn says nothing


def test_chance_is_the_mean_over_permutations_of_the_asked_words_of_each_kind():
    generator = np.random.default_rng(1)
    words = np.column_stack([np.repeat([0, 1], [40, 20]), generator.integers(0, 3, (60, 2))])
    words[40:, 1:] = generator.integers(0, 2, (20, 2))
    agreements = []
    for _ in range(4000):
        asked = np.concatenate([generator.permutation(words[:40, 1]), generator.permutation(words[40:, 1])])
        agreements.append(np.mean(asked == words[:, 2]))
    assert chance_agreement(words) == pytest.approx(np.mean(agreements), abs=0.005)


def test_intervals_are_over_source_patients():
    metrics = metrics_of([0, 1, 2] * 4, [0, 1, 1] * 4)
    accuracy, chance = metrics.loc["prompt_brightness"], metrics.loc["prompt_brightness_chance"]
    assert accuracy["n"] == chance["n"] == 3
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert np.isnan(chance["low"]) and np.isnan(chance["high"])


def test_a_run_whose_prompts_ask_for_no_look_says_so():
    scaleless = LookScale({})
    looks = compare_looks([drawn_batch([], [])], scaleless)
    metrics = accuracy_metrics(looks, seed=1, resamples=50)
    assert metrics["value"].isna().all() and (metrics["why"].str.len() > 0).all()
    assert len(metrics) == 4


def test_the_floor_has_the_same_metrics_and_a_reason_why_they_are_null():
    floor = unasked_metrics()
    assert set(floor["metric"]) == {name for name in SUBSET_METRICS if name.startswith("prompt_")}
    assert floor["value"].isna().all() and (floor["why"] == "Real slices follow no prompt.").all()

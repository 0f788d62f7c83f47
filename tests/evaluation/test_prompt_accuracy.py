"""Asked words against measured ones, on slices whose looks are known."""

import numpy as np
import pandas as pd
import pytest

from mosaicmr.cohort.labels import ENHANCING, OEDEMA
from mosaicmr.evaluation.prompt_accuracy import accuracy_metrics, chance_agreement, compare_looks, unasked_metrics
from mosaicmr.evaluation.summary import SUBSET_METRICS
from mosaicmr.io import save_arrays, save_table
from mosaicmr.prompts.looks import AppearanceScale, Look, tabulate_looks

MODALITIES = ["FLAIR", "T2"]
GREYS = (0.2, 0.5, 0.8)  # one in each third
SCALE = AppearanceScale({(value, modality): (0.3, 0.6, 0.05) for value in (2, 3) for modality in MODALITIES})
ONE_MM = 1.0


def write_batch(folder, asked, drawn, heterogeneous=False):
    """Slices with oedema of 36 mm² whose asked and drawn third in FLAIR are given; T2 is asked and drawn dark."""
    labels = np.zeros((len(asked), 16, 16), np.uint8)
    labels[:, 4:10, 4:10] = 2
    images = np.full((len(asked), 2, 16, 16), GREYS[0], np.float16)
    for image, level in zip(images, drawn, strict=True):
        image[0, 4:10, 4:10] = GREYS[level] + heterogeneous * 0.1 * np.where(np.arange(6) % 2, 1, -1)
    looks = [(Look(2, "FLAIR", level, 0), Look(2, "T2", 0, 0)) for level in asked]
    words = pd.DataFrame([tabulate_looks(one, [OEDEMA, ENHANCING], MODALITIES) for one in looks]).astype("string")
    names = {"synthetic": [f"s{row}" for row in range(len(asked))], "source_patient": [f"p{i % 4}" for i in asked]}
    # In the table's order, which need not be that of the arrays.
    table = pd.concat([pd.DataFrame(names | {"row": range(len(asked))}), words], axis=1)[::-1]
    paths = [folder / name for name in ("slices.safetensors", "layouts.safetensors", "layouts.parquet")]
    save_arrays(paths[0], {"images": images})
    save_arrays(paths[1], {"labels": labels})
    save_table(paths[2], table)
    return [[path] for path in paths]


def metrics_of(folder, asked, drawn, **kwargs) -> pd.DataFrame:
    looks = compare_looks(*write_batch(folder, asked, drawn, **kwargs), SCALE, MODALITIES, ONE_MM)
    return accuracy_metrics(looks, seed=1, resamples=50).set_index("metric")


def test_each_asked_look_is_compared_with_that_of_its_own_slice(tmp_path):
    looks = compare_looks(*write_batch(tmp_path, [0, 1, 2], [0, 2, 2]), SCALE, MODALITIES, ONE_MM)
    flair = looks[looks["modality"] == "FLAIR"].set_index("slice").sort_index()
    assert flair["asked_brightness"].tolist() == [0, 1, 2] and flair["measured_brightness"].tolist() == [0, 2, 2]
    assert len(looks) == 6 and set(looks["tumour_class"]) == {"oedema"}


def test_the_accuracy_is_the_share_of_asked_words_that_are_measured(tmp_path):
    metrics = metrics_of(tmp_path, [0, 1, 2, 0], [0, 2, 2, 1])["value"]
    assert metrics["prompt_brightness_oedema_FLAIR"] == 0.5
    assert metrics["prompt_brightness_oedema_T2"] == 1
    assert metrics["prompt_brightness"] == pytest.approx(0.75)
    assert metrics["prompt_texture"] == 1


def test_a_texture_that_was_not_asked_for_is_counted(tmp_path):
    metrics = metrics_of(tmp_path, [0, 1, 2], [0, 1, 2], heterogeneous=True)["value"]
    assert metrics["prompt_texture_oedema_FLAIR"] == 0 and metrics["prompt_texture_oedema_T2"] == 1
    assert metrics["prompt_brightness"] == 1


def test_a_variant_that_always_draws_the_same_is_as_good_as_chance(tmp_path):
    metrics = metrics_of(tmp_path, [0, 1, 2] * 4, [2] * 12)["value"]
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


def test_intervals_are_over_source_patients(tmp_path):
    metrics = metrics_of(tmp_path, [0, 1, 2] * 4, [0, 1, 1] * 4)
    accuracy, chance = metrics.loc["prompt_brightness"], metrics.loc["prompt_brightness_chance"]
    assert accuracy["n"] == chance["n"] == 3
    assert accuracy["low"] < accuracy["value"] < accuracy["high"]
    assert np.isnan(chance["low"]) and np.isnan(chance["high"])


def test_a_run_whose_prompts_ask_for_no_look_says_so(tmp_path):
    scaleless = AppearanceScale({})
    paths = write_batch(tmp_path, [], [])
    metrics = accuracy_metrics(compare_looks(*paths, scaleless, MODALITIES, ONE_MM), seed=1, resamples=50)
    assert metrics["value"].isna().all() and (metrics["why"].str.len() > 0).all()
    assert len(metrics) == 4


def test_the_floor_has_the_same_metrics_and_a_reason_why_they_are_null():
    floor = unasked_metrics()
    assert set(floor["metric"]) == {name for name in SUBSET_METRICS if name.startswith("prompt_")}
    assert floor["value"].isna().all() and (floor["why"] == "Real slices follow no prompt.").all()

"""Training a segmenter on each arm, fairly and without a look at the test patients."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from mosaicmr.errors import InputError
from mosaicmr.io import load_arrays, save_arrays
from mosaicmr.seeds import numpy_generator
from mosaicmr.segmentation import arms, references
from mosaicmr.segmentation.arms import ARMS, SegmenterSettings, Sets, Task, train_segmenter, training_batches
from mosaicmr.segmentation.mask_fidelity import mask_fidelity_metrics, patient_dice
from mosaicmr.segmentation.references import read_slices, refer
from mosaicmr.segmentation.segmenter import build_segmenter, describe_weights, load_segmenters, score_patients
from tests.support.square_cohort import HEADER, PER_PATIENT, write_square_cohort

SHORT = SegmenterSettings(steps=4, batch_size=4, learning_rate=0.01, channels=(4, 8), seeds=(1,))
LONG = SegmenterSettings(steps=60, batch_size=4, learning_rate=0.01, channels=(8, 16), seeds=(1, 2))
TASK = Task(HEADER, seed=7, device=torch.device("cpu"))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_square_cohort(tmp_path_factory.mktemp("squares"))


@pytest.fixture(scope="module")
def sets(cohort) -> Sets:
    return Sets(
        real=refer(cohort.slices, cohort.slices, cohort.subjects, ["train"]),
        synthetic=refer(cohort.synthetic, cohort.layouts),
        validation=refer(cohort.slices, cohort.slices, cohort.subjects, ["val"]),
    )


@pytest.fixture(scope="module")
def trained(sets, tmp_path_factory):
    """The file of an arm trained long enough to learn the squares, with its curve."""
    weights, curve = train_segmenter("real+classical", sets, LONG, TASK)
    path = tmp_path_factory.mktemp("weights") / "real+classical.safetensors"
    save_arrays(path, weights, describe_weights(HEADER, LONG.channels, LONG.seeds))
    return path, curve


def test_slices_and_label_maps_of_different_kinds_are_refused(cohort, tmp_path):
    other = tmp_path / "other.safetensors"
    save_arrays(other, {"images": np.zeros((1, 1, 8, 8), np.float16)}, replace(HEADER, pixel_size=9.0).metadata)
    with pytest.raises(InputError, match="hold slices of different kinds"):
        refer([other], cohort.layouts[:1])


@pytest.fixture
def rows_read(monkeypatch) -> list[tuple[str, int]]:
    """Every row that is read from a file while the test runs."""
    seen = []
    read = references._read_row

    def spy(path, name, row):
        seen.append((path, int(row)))
        return read(path, name, row)

    monkeypatch.setattr(references, "_read_row", spy)
    return seen


def test_slices_are_read_with_their_own_labels(sets):
    images, labels = read_slices(sets.synthetic.iloc[[3, 7]])
    assert images.shape == (2, 2, 32, 32)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert images[:, 0][labels == 3].min() > images[:, 0][labels == 0].max()


def test_every_arm_takes_the_same_steps_and_batches(sets, monkeypatch):
    sizes = []
    step = arms._train_step

    def spy(model, optimizer, batch, augment, task):
        sizes.append((len(batch), augment is not None))
        return step(model, optimizer, batch, augment, task)

    monkeypatch.setattr(arms, "_train_step", spy)
    for name, arm in ARMS.items():
        sizes.clear()
        _, curve = train_segmenter(name, sets, SHORT, TASK)
        assert sizes == [(4, arm.classical)] * 4
        assert list(curve["step"]) == [1, 2, 3, 4]


@pytest.mark.parametrize(("size", "real"), [(4, 2), (5, 3)])
def test_half_of_each_batch_is_synthetic_where_both_are_used(sets, size, real):
    batches = training_batches(sets, ARMS["real+synthetic"], size, numpy_generator(1, "test"))
    for _ in range(10):
        batch = next(batches)
        assert batch["image_file"].isin(sets.real["image_file"]).sum() == real
        assert batch["image_file"].isin(sets.synthetic["image_file"]).sum() == size - real


def test_no_slice_comes_again_before_all_have_come(sets):
    batches = training_batches(sets, ARMS["real"], 6, numpy_generator(1, "test"))
    epoch = pd.concat([next(batches) for _ in range(len(sets.real) // 6)])
    assert sorted(epoch["slice"]) == sorted(sets.real["slice"])


@pytest.mark.parametrize("arm", ARMS)
def test_no_slice_of_a_test_patient_is_read_in_training(cohort, sets, rows_read, arm):
    train_segmenter(arm, sets, SHORT, TASK)
    test = refer(cohort.slices, cohort.slices, cohort.subjects, ["test"])
    assert rows_read
    assert not set(rows_read) & set(zip(test["image_file"], test["row"], strict=True))


def test_the_synthetic_arm_reads_no_training_slice_of_a_real_patient(sets, rows_read):
    train_segmenter("synthetic", sets, SHORT, TASK)
    assert not set(rows_read) & set(zip(sets.real["image_file"], sets.real["row"], strict=True))


def test_arms_start_from_the_same_weights_and_seeds_from_different_ones():
    first, same, other = (build_segmenter(HEADER, (4, 8), seed).state_dict() for seed in (1, 1, 2))
    name = next(iter(first))
    assert torch.equal(first[name], same[name])
    assert not torch.equal(first[name], other[name])


def test_building_a_segmenter_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    build_segmenter(HEADER, (4, 8), 1)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_same_seed_gives_the_same_bytes(sets):
    first, again = (train_segmenter("real+classical", sets, SHORT, TASK)[0] for _ in range(2))
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_weights_are_named_by_seed(trained):
    prefixes = {name.split(".")[0] for name in load_arrays(trained[0])}
    assert prefixes == {"seed1", "seed2"}


def test_validation_patients_choose_the_moment(trained):
    _, curve = trained
    for _, own in curve.groupby("seed"):
        chosen = own[own["chosen"]]
        assert len(chosen) == 1
        assert chosen["validation_dsc"].item() == own["validation_dsc"].max()
        assert own["validation_dsc"].notna().sum() == arms.CHECKPOINTS


def test_without_validation_patients_the_last_moment_is_taken(sets):
    blind = Sets(sets.real, sets.synthetic, sets.validation.iloc[:0])
    _, curve = train_segmenter("real", blind, SHORT, TASK)
    assert curve.loc[curve["chosen"], "step"].tolist() == [4]


def test_bright_squares_are_learnt_and_found_in_new_patients(cohort, trained):
    path, curve = trained
    assert curve["loss"].tail(5).mean() < 0.5 * curve["loss"].head(5).mean()
    test = refer(cohort.slices, cohort.slices, cohort.subjects, ["test"])
    scores = score_patients(test, load_segmenters(path, torch.device("cpu")), HEADER)
    assert len(scores) == 3 * 2 * 3  # patients, seeds, classes
    assert scores.loc[scores["class"] == "oedema", "dsc"].mean() > 0.8
    assert scores.loc[scores["class"] == "enhancing", "dsc"].mean() > 0.8


def test_an_arm_without_slices_is_one_sentence(sets):
    empty = Sets(sets.real, sets.synthetic.iloc[:0], sets.validation)
    with pytest.raises(InputError, match=r"arm 'synthetic' has 18 real and 0 synthetic slices.*layouts\.slices"):
        train_segmenter("synthetic", empty, SHORT, TASK)


def test_a_loss_that_explodes_names_the_learning_rate(sets, monkeypatch):
    monkeypatch.setattr(arms, "_train_step", lambda *_: float("nan"))
    with pytest.raises(InputError, match=r"segmenter\.learning_rate"):
        train_segmenter("real", sets, SHORT, TASK)


def test_masks_are_found_in_slices_that_follow_them_and_not_in_others(cohort, sets, trained):
    models = load_segmenters(trained[0], torch.device("cpu"))
    faithful = patient_dice(sets.synthetic, models, HEADER.classes)
    assert sorted(faithful.index) == ["p1", "p3", "p6"]
    shuffled = sets.synthetic.assign(label_file=cohort.slices[0])  # masks of other slices
    assert faithful.mean() > patient_dice(shuffled, models, HEADER.classes).mean() + 0.2
    row = mask_fidelity_metrics(faithful, seed=1, resamples=100).iloc[0]
    assert row["metric"] == "mask_dice"
    assert row["n"] == 3
    assert row["value"] == pytest.approx(faithful.mean())


def test_mask_fidelity_without_slices_says_why():
    row = mask_fidelity_metrics(pd.Series(dtype=float), seed=1, resamples=10).iloc[0]
    assert np.isnan(row["value"])
    assert row["why"]


def test_references_hold_only_the_splits_asked_for(cohort):
    test = refer(cohort.slices, cohort.slices, cohort.subjects, ["test"])
    assert set(test["patient"]) == {"p2", "p5", "p7"}
    assert len(test) == 3 * PER_PATIENT

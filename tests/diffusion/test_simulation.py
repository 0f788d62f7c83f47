"""Simulated slices: what the base model learns from must look like what it will see."""

import pytest
import torch

from mosaicmr.cohort.anatomy import Anatomy, load_anatomy
from mosaicmr.cohort.contrast import SEQUENCES
from mosaicmr.diffusion.simulation import SimulatedSlice, simulate_slice
from mosaicmr.seeds import torch_generator

FLAIR, T1, T1CE, T2 = range(4)


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    return load_anatomy()


@pytest.fixture(scope="module")
def slices(anatomy: Anatomy) -> list[SimulatedSlice]:
    generator = torch_generator(3, "test")
    return [simulate_slice(anatomy, generator, 64, 3.0, free_contrast=0.0) for _ in range(12)]


def test_modalities_are_in_the_order_of_the_contract() -> None:
    assert list(SEQUENCES) == ["FLAIR", "T1", "T1ce", "T2"]


def test_images_are_normalised_and_black_outside_the_brain(slices: list[SimulatedSlice]) -> None:
    for one in slices:
        assert one.images.min() >= 0 and one.images.max() <= 1
        assert not one.images[:, ~one.brain].any()


def test_the_same_seed_gives_the_same_slice(anatomy: Anatomy) -> None:
    first, again = (simulate_slice(anatomy, torch_generator(5, "test"), 48, 4.0) for _ in range(2))
    assert torch.equal(first.images, again.images) and torch.equal(first.labels, again.labels)


def test_tumours_lie_in_the_brain_and_all_classes_occur(slices: list[SimulatedSlice]) -> None:
    seen: set[int] = set()
    for one in slices:
        assert not one.labels[~one.brain].any()
        seen |= set(one.labels.unique().tolist())
    assert seen == {0, 1, 2, 3}


def test_contrast_is_that_of_the_sequences(slices: list[SimulatedSlice]) -> None:
    def mean(modality: int, label: int) -> float:
        values = [one.images[modality][(one.labels == label) & one.brain] for one in slices]
        return torch.cat(values).mean().item()

    assert mean(FLAIR, 2) > 1.2 * mean(FLAIR, 0), "oedema is bright on FLAIR"
    assert mean(T1CE, 3) > 1.2 * mean(T1CE, 0), "enhancing tumour is bright after gadolinium"
    assert mean(T1, 3) < mean(T1CE, 3)
    assert mean(T2, 1) > mean(T2, 0), "necrosis is fluid"

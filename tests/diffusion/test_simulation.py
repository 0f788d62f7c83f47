"""Simulated slices: what the base model learns from must look like what it will see."""

import pytest
import torch

from mosaicmr.cohort.anatomy import Anatomy, load_anatomy
from mosaicmr.cohort.contrast import SEQUENCES
from mosaicmr.diffusion.simulated_anatomy import simulate_anatomy
from mosaicmr.diffusion.simulation import SimulatedSlice, simulate_slice
from mosaicmr.seeds import torch_generator

FLAIR, _, T1CE, T2 = range(4)


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    return load_anatomy()


@pytest.fixture(scope="module")
def slices(anatomy: Anatomy) -> list[SimulatedSlice]:
    generator = torch_generator(3, "test")
    return [simulate_slice(anatomy, generator, 64, 3.0, free_contrast=0.0) for _ in range(24)]


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


def test_contrast_is_that_of_the_sequences_in_most_slices(slices: list[SimulatedSlice]) -> None:
    def median(modality: int, label: int) -> float:
        values = [one.images[modality][(one.labels == label) & one.brain] for one in slices]
        return torch.stack([value.mean() for value in values if len(value)]).median().item()

    assert median(FLAIR, 2) > 1.2 * median(FLAIR, 0), "oedema is bright on FLAIR"
    assert median(T1CE, 3) > 1.2 * median(T1CE, 0), "enhancing tumour is bright after gadolinium"
    assert median(T2, 1) > median(T2, 0), "necrosis is fluid"


def test_every_brightness_of_every_part_occurs(slices: list[SimulatedSlice]) -> None:
    """Or a prompt could not ask for it."""
    oedema = torch.stack([one.images[FLAIR][one.labels == 2].mean() for one in slices if (one.labels == 2).sum() > 5])
    assert oedema.min() < 0.5 < 0.8 < oedema.max()


def test_ventricles_and_folding_vary(slices: list[SimulatedSlice], anatomy: Anatomy) -> None:
    points = torch.stack(torch.meshgrid(torch.arange(40.0, -41, -2), torch.arange(40.0, -41, -2), indexing="ij"), -1)
    plane = torch.cat([points.flip(-1), torch.zeros(*points.shape[:2], 1)], -1)
    heads = [simulate_anatomy(anatomy, plane, torch_generator(seed, "test")) for seed in range(12)]
    fluid = torch.stack([head.tissue[0].mean() for head in heads])
    assert fluid.max() > 2 * fluid.min()
    assert all(torch.allclose(head.tissue.sum(0), head.brain.float(), atol=0.5) for head in heads)
    assert all(head.tissue.min() > -1e-5 for head in heads)

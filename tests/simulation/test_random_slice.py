"""Simulated slices, from which the base model learns, must look like the slices that it will see."""

import numpy as np
import pytest
import torch

from mosaicmr.seeds import torch_generator
from mosaicmr.simulation.anatomy import Anatomy, load_anatomy
from mosaicmr.simulation.contrast import SEQUENCES
from mosaicmr.simulation.healthy_slice import VENTRICLES, HealthySlice, resize_ventricles, simulate_anatomy
from mosaicmr.simulation.random_slice import SimulatedSlice, simulate_slice

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


@pytest.fixture
def plane() -> torch.Tensor:
    """An axial plane through the lateral ventricles, 101 x 101 points 2 mm apart."""
    axis = torch.arange(100.0, -101, -2)
    points = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)
    return torch.cat([points.flip(-1), torch.zeros(*points.shape[:2], 1)], -1)


def heads(anatomy: Anatomy, plane: torch.Tensor) -> list[HealthySlice]:
    return [simulate_anatomy(anatomy, plane, torch_generator(seed, "test")) for seed in range(12)]


def test_tissue_fills_the_brain(anatomy: Anatomy, plane: torch.Tensor) -> None:
    for head in heads(anatomy, plane):
        assert torch.allclose(head.tissue.sum(0), head.brain.float(), atol=0.5)
        assert head.tissue.min() > -1e-5


def test_ventricles_vary_in_size(anatomy: Anatomy, plane: torch.Tensor) -> None:
    sizes = []
    for seed in range(12):
        points = resize_ventricles(plane, torch_generator(seed, "test"))
        near = (plane - VENTRICLES).norm(dim=-1) < 25
        sizes.append(anatomy.sample(points)[0][near].mean())
    assert max(sizes) > 1.5 * min(sizes)


def test_the_cortex_is_folded_anew(anatomy: Anatomy, plane: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    new = heads(anatomy, plane)
    monkeypatch.setattr("mosaicmr.simulation.healthy_slice.PROBABILITY_OF_NEW_FOLDING", 0.0)
    folded = [
        one.tissue[1][one.brain].sub(other.tissue[1][one.brain]).abs().mean() > 0.05
        for one, other in zip(new, heads(anatomy, plane), strict=True)
    ]
    assert 0.2 < np.mean(folded) < 0.8

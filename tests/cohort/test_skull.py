"""A head with its skull is told from a stripped brain in every contrast, and never the other way round."""

import numpy as np
import pytest

from mosaicmr.scans.brain import brain_mask, find_background, foreground
from mosaicmr.scans.skull import RING, head_mask, ring_share
from mosaicmr.seeds import torch_generator
from mosaicmr.simulation.anatomy import load_anatomy
from mosaicmr.simulation.phantom import simulate_patient
from tests.support.heads import CONTRASTS, VOXEL, brain_image, head_image

SIZE = (VOXEL, VOXEL, VOXEL)


def share(image: np.ndarray, size=SIZE) -> float:
    background = find_background(image)
    head = brain_mask(foreground(image[None], [background.value])) if background.plain else head_mask(image)
    return ring_share(image, head, size)


def thick(image: np.ndarray) -> np.ndarray:
    """Planes of twice the thickness."""
    planes = image.shape[2] // 2 * 2
    return (image[..., :planes:2] + image[..., 1:planes:2]) / 2


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize(
    "settings",
    [{}, {"masked": True}, {"bone": 4, "scalp": 4}, {"bone": 9, "scalp": 12}, {"noise": 0.08}],
    ids=["noise", "masked", "thin", "thick", "noisy"],
)
def test_a_head_shows_a_ring(contrast, settings):
    image = head_image(contrast, **settings)
    assert share(image) > RING + 0.1
    assert share(thick(image), (VOXEL, VOXEL, 2 * VOXEL)) > RING


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_a_stripped_brain_shows_none(contrast):
    image = brain_image(contrast)
    assert share(image) < RING - 0.2
    assert share(thick(image), (VOXEL, VOXEL, 2 * VOXEL)) < RING - 0.2
    # Normalised images have no natural zero.
    brain = image > 0
    image[brain] = (image[brain] - image[brain].mean()) / image[brain].std()
    assert share(image) < RING - 0.2


def test_a_simulated_patient_shows_none():
    patient = simulate_patient(load_anatomy(), torch_generator(0, "skull"), voxel_size=3.0, tumour_grid=4.0)
    for values in patient.images.values():
        assert share(np.asarray(values, np.float32)) < RING - 0.1


def test_a_slab_of_a_few_planes_is_enough():
    assert share(head_image("T1", masked=True)[..., 40:55]) > RING
    assert share(brain_image("T1")[..., 40:55]) < RING - 0.2

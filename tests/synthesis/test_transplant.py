"""A transplanted tumour stays in the brain and out of the ventricles, and the recipient's own is healed."""

from dataclasses import replace

import numpy as np
import pytest

from mosaicmr.synthesis.annotated_slice import AnnotatedSlice
from mosaicmr.synthesis.transplant import heal, midline, transplant_tumour
from tests.support.small_slices import PIXEL, SIZE, TISSUE_DOMAINS, brain_mask, ellipse, tissue_greys, tumour_labels

CLASSES = {1: 1, 2: 2, 3: 3}
FLUID = 4


def annotated(row: float, column: float, radius: float = 5, grey: float = 0.3) -> AnnotatedSlice:
    labels, truth = tumour_labels(row, column, radius), tissue_greys(noise=0)
    labels[~brain_mask()] = 0
    domains = np.zeros_like(labels)
    for tissue, domain in TISSUE_DOMAINS.items():
        domains[truth == tissue] = domain
    domains[labels > 0] = labels[labels > 0]
    image = np.where(labels > 0, grey, tissue_greys()).astype(np.float32)
    return AnnotatedSlice(image[None], labels, brain_mask().astype(np.uint8), domains)


def transplant(recipient: AnnotatedSlice, donor: AnnotatedSlice, seed: int = 0, fluid: int | None = FLUID):
    return transplant_tumour(recipient, donor, CLASSES, fluid, PIXEL, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(5))
def test_the_donors_tumour_replaces_the_recipients_and_stays_in_the_brain(seed):
    recipient, donor = annotated(46, 44), annotated(14, 24, radius=7)
    result = transplant(recipient, donor, seed)
    tumour = result.labels > 0
    assert not tumour[recipient.brain == 0].any()
    assert tumour.sum() >= 0.94 * (donor.labels > 0).sum()
    assert not tumour[(recipient.labels > 0)].any()
    assert np.array_equal(np.where(result.domains <= 3, result.domains, 0), result.labels)
    assert np.array_equal(result.domains > 0, result.brain > 0)
    assert np.array_equal(result.brain, recipient.brain)


def test_all_classes_and_the_look_of_the_tumour_come_along():
    result = transplant(annotated(46, 44), annotated(18, 22, radius=7, grey=0.95))
    assert set(np.unique(result.labels)) == {0, 1, 2, 3}
    assert result.images[0][result.labels == 1].mean() > 0.9
    rim = (result.labels > 0) & ~ellipse(*np.argwhere(result.labels > 0).mean(axis=0), 5.5, 5.5)
    assert 0.75 < result.images[0][rim].mean() < 0.95


def test_a_tumour_beside_the_ventricle_avoids_it():
    def in_fluid(fluid: int | None) -> float:
        recipient, donor = annotated(46, 44), annotated(31, 22, radius=6)
        places = [transplant(recipient, donor, seed, fluid).labels > 0 for seed in range(5)]
        return float(np.mean([np.mean(recipient.domains[place] == FLUID) for place in places]))

    assert in_fluid(FLUID) < 0.05
    assert in_fluid(FLUID) <= in_fluid(None)


def test_a_tumour_stays_on_its_side_of_the_midline():
    for seed in range(5):
        result = transplant(annotated(46, 44), annotated(14, 24, radius=6), seed)
        assert not (result.labels[:, SIZE // 2 :] > 0).any()


def test_a_tumour_that_could_only_lie_in_fluid_is_refused():
    dry = annotated(46, 44)
    flooded = np.where(dry.domains > 3, FLUID, dry.domains).astype(np.uint8)
    assert transplant(replace(dry, domains=flooded), annotated(18, 22)) is None


def test_healing_takes_the_tissue_opposite():
    slice_ = annotated(18, 20)
    region = slice_.labels > 0
    healed = heal(slice_, region, PIXEL)
    truth = tissue_greys(noise=0)
    assert not healed.labels.any()
    assert np.abs(healed.images[0] - truth)[region].mean() < 0.05
    for tissue, domain in TISSUE_DOMAINS.items():
        assert np.array_equal(healed.domains == domain, (truth == tissue) & brain_mask())


def test_a_tumour_in_both_hemispheres_cannot_be_healed():
    both = annotated(31.5, 31.5, radius=10)
    assert heal(both, both.labels > 0, PIXEL) is None


def test_the_midline_is_the_brains_and_not_the_images():
    assert midline(brain_mask()) == SIZE - 1
    assert midline(np.roll(brain_mask(), -6, axis=1)) == SIZE - 1 - 12

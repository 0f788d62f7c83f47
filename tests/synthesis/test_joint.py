"""The joint scheme: one latent, every expert in its place."""

import numpy as np
import torch

from mosaicmr.synthesis.generation import Start, synthesize_slices
from mosaicmr.synthesis.joint import latent_weights, synthesize_jointly
from tests.support.fake_experts import GREYS, NAMES, GreyPainter, grey_layouts, grey_sampler

EXPERTS = (*NAMES, "whole")


def test_latent_weights_are_a_partition_of_unity_everywhere():
    layouts = grey_layouts()
    weights = latent_weights(layouts, feather=1, pixel_size=1, downsampling=2)
    assert weights.shape == (5, 6, 8, 8)
    assert torch.allclose(weights.sum(1), torch.ones(5, 8, 8), atol=1e-6)
    assert (weights[:, 0, 0, 0] == 1).all(), "corners are background"


def test_each_expert_paints_its_own_domain():
    layouts = grey_layouts()
    experts = {name: GreyPainter() for name in EXPERTS}

    images = synthesize_jointly(grey_sampler(), layouts, experts, Start(), feather=0, pixel_size=1)

    for domain, name in enumerate(NAMES, start=1):
        where = np.broadcast_to(layouts.domains[:, None] == domain, images.shape)
        assert np.allclose(images[where], GREYS[name], atol=2e-3)
    assert not images[np.broadcast_to(layouts.domains[:, None] == 0, images.shape)].any()


def test_an_absent_domain_costs_nothing():
    experts = {name: GreyPainter() for name in EXPERTS}
    synthesize_jointly(grey_sampler(), grey_layouts(), experts, Start(), feather=0, pixel_size=1)
    assert experts["enhancing"].batches == []
    assert experts["necrosis"].batches == [1] * 4
    assert experts["oedema"].batches == [5] * 4


def test_experts_that_agree_draw_what_one_draws_alone():
    layouts, sampler = grey_layouts(), grey_sampler()
    sampler.embeddings.states[:] = 0.5
    painter = GreyPainter(0.3)
    together = synthesize_jointly(sampler, layouts, dict.fromkeys(EXPERTS, painter), Start(), feather=4, pixel_size=1)
    assert np.allclose(together, synthesize_slices(sampler, layouts, painter, Start()), atol=2e-3)

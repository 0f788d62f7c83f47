"""Layouts: the channels that show the U-Net where each domain lies."""

import numpy as np
import torch

from mosaicmr.diffusion.conditioning import FOLD, LAYOUT_CHANNELS, MAPS, encode_layout


def unfold(layout: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.pixel_shuffle(layout, FOLD)


def test_has_the_latents_resolution_and_a_fixed_number_of_channels() -> None:
    layout = encode_layout(np.ones((2, 32, 32), np.uint8), [1, 2, 3], 3, downsampling=4)
    assert layout.shape == (2, LAYOUT_CHANNELS, 8, 8)


def test_background_is_zero() -> None:
    assert not encode_layout(np.zeros((1, 16, 16), np.uint8), [1, 2, 3], 3, downsampling=4).any()


def test_a_tumour_class_has_the_same_channel_in_every_cohort() -> None:
    domains = np.full((1, 16, 16), 2, np.uint8)
    layout = unfold(encode_layout(domains, [1, 4], 3, downsampling=4))
    assert layout[0, 3].min() == 1, "resection cavity is class 4, whatever its domain"
    assert layout[0, :3].max() == 0


def test_healthy_domains_share_a_mask_and_differ_in_rank() -> None:
    ranks = []
    for domain in (4, 5, 6):
        layout = unfold(encode_layout(np.full((1, 16, 16), domain, np.uint8), [1, 2, 3], 3, downsampling=4))
        assert layout[0, MAPS - 2].min() == 1
        ranks.append(layout[0, MAPS - 1].mean().item())
    np.testing.assert_allclose(ranks, [1 / 6, 3 / 6, 5 / 6], rtol=1e-6)


def test_half_a_pixel_of_tumour_counts_half() -> None:
    domains = np.zeros((1, 8, 8), np.uint8)
    domains[:, :, 1::2] = 3
    layout = encode_layout(domains, [1, 2, 3], 3, downsampling=4)
    assert layout.sum() / 0.5 == layout.shape[-1] ** 2 * FOLD**2

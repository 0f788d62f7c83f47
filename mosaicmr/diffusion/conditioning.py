"""Layouts as the U-Net sees them: the domain map turned into channels at the resolution of the latents.

Tumour classes have a channel each. Healthy domains share two, their mask and their rank in grey level, so that a base
model pretrained once serves every number of healthy domains.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from mosaicmr.cohort.labels import TUMOUR_CLASSES

MAPS = len(TUMOUR_CLASSES) + 2
FOLD = 2  # layouts keep twice the latents' resolution, folded into channels, so that thin rims survive
LAYOUT_CHANNELS = MAPS * FOLD**2


def encode_layout(
    domains: torch.Tensor | np.ndarray, tumour_classes: Sequence[int], healthy: int, downsampling: int
) -> torch.Tensor:
    """Layout channels of domain maps.

    domains: uint8 [n, H, W], 0 background, 1..T tumour domains, T+1..T+K healthy domains by rising grey level.
    tumour_classes: of each of the T tumour domains, the class of the base (1 to 4) that it resembles. healthy: K.
    downsampling: slice side over latent side. Returns float32 [n, LAYOUT_CHANNELS, h, w] in [0, 1], at the resolution
    of the latents: the fraction of each folded pixel that each tumour class and healthy tissue covers, and the mean
    rank (k - 1/2) / K of its healthy tissue.
    In classifier-free guidance, an all-zero layout means that no layout was given.
    """
    domains = torch.as_tensor(domains).long()
    maps = torch.zeros(domains.shape[0], MAPS, *domains.shape[1:])
    for domain, tumour_class in enumerate(tumour_classes, start=1):
        maps[:, tumour_class - 1] += (domains == domain).float()
    rank = domains - len(tumour_classes)
    maps[:, -2] = (rank > 0).float()
    maps[:, -1] = (rank - 0.5).clamp_min(0) / max(healthy, 1) * (rank > 0)
    block = downsampling // FOLD
    pooled = F.avg_pool2d(maps, block) if block > 1 else maps
    return F.pixel_unshuffle(pooled, FOLD)


def class_fractions(layout: torch.Tensor) -> torch.Tensor:
    """The fraction [n, 4, h, w] of each latent pixel that each tumour class covers, of a layout [n, 24, h, w]."""
    return layout.unflatten(1, (MAPS, FOLD**2)).mean(2)[:, : len(TUMOUR_CLASSES)]


def tumour_fraction(layout: torch.Tensor) -> torch.Tensor:
    """The fraction [n, 1, h, w] of each latent pixel that tumour covers, of a layout [n, 24, h, w]."""
    return class_fractions(layout).sum(1, keepdim=True)

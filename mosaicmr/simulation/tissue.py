"""Tissue fractions: how much of each tissue a simulated voxel holds, and the signal and the class that follow.

Fractions are float32 [6, ...] in the order of TISSUES, at least 0 and at most 1 in sum; the rest is air. Voxels at a
border hold several tissues, so the images show partial volume as real images do.
"""

import torch

from mosaicmr.cohort.labels import ENHANCING, NECROSIS, OEDEMA

TISSUES = ("csf", "grey", "white", "necrosis", "oedema", "enhancing")
HEALTHY = 3  # the first tissues are healthy, the others a tumour's


def combine(healthy: torch.Tensor, tumour: torch.Tensor, brain: torch.Tensor) -> torch.Tensor:
    """Fractions [6, ...] where a tumour, float [3, ...], takes the place of healthy tissue, float [3, ...].

    brain: bool [...]; outside it everything is air.
    """
    return torch.cat([healthy * (1 - tumour.sum(0)), tumour]) * brain


def mix(fractions: torch.Tensor, signals: torch.Tensor) -> torch.Tensor:
    """Signal float [...] of voxels with `fractions` [tissues, ...], given the `signals` [tissues] of pure tissue.

    Air gives none.
    """
    return torch.tensordot(signals.to(fractions), fractions, dims=([0], [0]))


def tumour_labels(tumour: torch.Tensor) -> torch.Tensor:
    """Tumour classes uint8 [...] of fractions [3, ...]: the largest where more than half of a voxel is tumour."""
    classes = torch.tensor([NECROSIS.value, OEDEMA.value, ENHANCING.value], dtype=torch.uint8)
    labels = classes[tumour.argmax(0)]
    return torch.where(tumour.sum(0) > 0.5, labels, torch.zeros_like(labels))

"""Healthy anatomy of simulated slices: the MNI maps with other ventricles, other sulci and other folding.

Deforming one atlas keeps its topology: every head has the same gyri. Here the folding of some slices is drawn anew, as
the zero lines of a random field, so that no network takes the atlas' cortex for the only possible cortex.
"""

from dataclasses import dataclass
from functools import partial

import torch
from scipy import ndimage

from mosaicmr.simulation.anatomy import Anatomy, random_deformation
from mosaicmr.simulation.noise import noise_field

VENTRICLES = torch.tensor([0.0, 8.0, -4.0])  # mm from the centre of the atlas: between the lateral ventricles' bodies
REACH = 38.0  # mm, over which the ventricles' change of size fades
FOLDED_ABOVE = -22.0  # mm from the centre of the atlas: below lie the cerebellum and the temporal poles
PROBABILITY_OF_NEW_FOLDING = 0.5


@dataclass(frozen=True)
class HealthySlice:
    """Tissue fractions float32 [3, H, W] (CSF, grey, white), fine T1 detail float32 [H, W], and brain bool [H, W]."""

    tissue: torch.Tensor
    detail: torch.Tensor
    brain: torch.Tensor


def simulate_anatomy(anatomy: Anatomy, points: torch.Tensor, generator: torch.Generator) -> HealthySlice:
    """The tissue at the points float [H, W, 3] (mm, RAS+, evenly spaced) of one axial slice of a new random head."""
    deformation = random_deformation(generator, strength=0.6 + 0.9 * torch.rand(1, generator=generator).item())
    maps = anatomy.sample(resize_ventricles(deformation(points), generator))
    tissue, template = maps[:3], maps[3]
    brain = tissue.sum(0) > 0.5
    tissue = _vary_amounts(tissue, generator)
    spacing = float((points[0, 0] - points[0, 1]).norm())
    detail = torch.where(brain, template - _mean(template, round(7 / spacing)), torch.zeros(()))
    if float(points[0, 0, 2]) > FOLDED_ABOVE and torch.rand(1, generator=generator) < PROBABILITY_OF_NEW_FOLDING:
        tissue, cortex = _fold(tissue, brain, spacing, generator)
        detail = detail * (1 - cortex)  # the template's detail is that of its own gyri
    return HealthySlice(tissue * brain, detail, brain)


def resize_ventricles(points: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Atlas coordinates drawn towards the ventricles (which look larger) or away from them, by up to a half."""
    change = 1.1 * torch.rand(1, generator=generator).item() - 0.5
    offset = points - VENTRICLES
    near = torch.exp(-((offset.norm(dim=-1, keepdim=True) / REACH) ** 2))
    return points - change * near * offset


def _vary_amounts(tissue: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Shift the borders of the tissues by random factors: sulci widen, and the cortex thins or thickens."""
    factors = torch.exp(torch.randn(3, 1, 1, generator=generator) * torch.tensor([0.9, 0.4, 0.0])[:, None, None])
    weighted = tissue * factors
    return weighted / weighted.sum(0).clamp_min(1e-6) * tissue.sum(0)


def _fold(
    tissue: torch.Tensor, brain: torch.Tensor, spacing: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Redraw the cortex: sulci along the zero lines of a random field, grey matter beside them, white matter between.

    Returns the tissue, and the share of it that is redrawn (float [H, W]).
    """
    noise = partial(noise_field, generator, brain.shape, [side * spacing for side in brain.shape])
    u = torch.rand(5, generator=generator).tolist()
    field = noise(13.0 + 9.0 * u[0])
    field = field + 0.35 * noise(7.0)
    slope = torch.stack(torch.gradient(field, spacing=spacing)).norm(dim=0)
    to_sulcus = field.abs() / slope.clamp_min(0.05)
    depth = torch.from_numpy(ndimage.distance_transform_edt(brain.numpy(), spacing)).float()
    reach = 12.0 + 10.0 * u[1] + 4.0 * noise(25.0)
    width = (0.1 + 1.1 * u[2]) * (1 - depth / reach).clamp_min(0)
    thickness = 2.2 + 1.5 * u[3]
    softness = 0.45 * spacing
    csf = torch.sigmoid((width - to_sulcus) / softness)
    grey = torch.sigmoid((width + thickness - torch.minimum(to_sulcus, depth)) / softness) * (1 - csf)
    folded = torch.stack([csf, grey, 1 - csf - grey])
    cortex = torch.sigmoid((reach - depth) / 1.5) * brain
    # Deep sulci, the Sylvian fissure and the space between the hemispheres stay the atlas'.
    cortex = cortex * (1 - _mean(tissue[0], max(3, round(5 / spacing)))).clamp(0, 1)
    return cortex * folded + (1 - cortex) * tissue, cortex


def _mean(image: torch.Tensor, side: int) -> torch.Tensor:
    """Mean of an image float [H, W] over squares of `side` pixels."""
    return torch.from_numpy(ndimage.uniform_filter(image.numpy(), side))

"""Tumours of simulated slices: a distorted distance from a centre, thresholded into necrosis, rim and oedema.

This is cheap enough for endless slices. The tumours of simulated patients grow (mosaicmr.simulation.tumour_growth).
"""

from dataclasses import dataclass
from functools import partial

import torch

from mosaicmr.simulation.noise import noise_field


@dataclass(frozen=True)
class TumourPlace:
    """Centre float32 [3] in mm (RAS+), in the plane of the slice, and the radius in mm at which the oedema ends."""

    centre: torch.Tensor
    radius: float


def place_tumour(generator: torch.Generator, height: float) -> TumourPlace:
    """A place in the cerebrum of the slice at `height` mm; small tumours are as frequent as large tumours."""
    side = 1.0 if torch.rand(1, generator=generator) < 0.5 else -1.0
    u = torch.rand(3, generator=generator)
    centre = torch.tensor([side * (12 + 36 * u[0]), -62 + 108 * u[1], height])
    return TumourPlace(centre, 9.0 + 32.0 * float(u[2]) ** 1.3)


def push_away(points: torch.Tensor, place: TumourPlace, generator: torch.Generator) -> torch.Tensor:
    """Mass effect: tissue that was at x - u(x) now lies at x, with u pointing away from the tumour's centre."""
    strength = 0.35 * place.radius * torch.rand(1, generator=generator).item() ** 2
    offset = points - place.centre
    distance = offset.norm(dim=-1, keepdim=True).clamp_min(1e-3)
    reach = torch.exp(-((distance / (1.8 * place.radius)) ** 2))
    return points - strength * reach * offset / (distance + 0.3 * place.radius)


def tumour_fractions(
    points: torch.Tensor, place: TumourPlace, tissue: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Fractions [3, H, W] of necrosis, oedema and enhancing tumour, as in tissue.TISSUES.

    points: float [H, W, 3] in mm; tissue: fractions [3, H, W] of CSF, grey and white matter. Oedema reaches further in
    white matter and spares CSF.
    """
    spacing = float((points[0, 0] - points[0, 1]).norm())
    offset = (points - place.centre)[..., :2]
    stretch = torch.diag(0.75 + 0.5 * torch.rand(2, generator=generator))
    distance = (offset @ stretch).norm(dim=-1) / place.radius
    noise = partial(noise_field, generator, distance.shape, [side * spacing for side in distance.shape])
    distance = distance + 0.16 * noise(18.0) + 0.07 * noise(6.0)
    u = torch.rand(4, generator=generator)
    core = 0.2 + 0.6 * float(u[0])
    rim = core * (0.35 + 0.6 * float(u[1]))
    softness = spacing / place.radius
    inside_core = torch.sigmoid((core - distance) / (0.35 * softness)) * (tissue.sum(0) > 0.5)
    if float(u[2]) < 0.18:  # no necrosis: a solid tumour
        necrosis = torch.zeros_like(distance)
    elif float(u[2]) > 0.82:  # no enhancement: all of the core is non-enhancing
        necrosis = inside_core
    else:
        wobble = distance + 0.10 * noise(5.0)
        necrosis = torch.sigmoid((rim - wobble) / (0.35 * softness)) * inside_core
    affinity = 1.0 + 0.5 * (tissue[2] - 0.5)
    reach = torch.sigmoid((affinity - distance) / (0.5 * softness)) * (1 - tissue[0]).clamp(0, 1)
    oedema = (reach - inside_core).clamp(0, 1) * (0.75 + 0.25 * float(u[3]))
    return torch.stack([necrosis, oedema, (inside_core - necrosis).clamp(0, 1)])

"""A simulated glioma: Fisher-Kolmogorov growth on a tissue map, mass effect, and its necrosis, rim and oedema.

Growth follows Swanson et al., Cell Prolif. 2000: du/dt = div(D grad u) + rho u (1 - u), with diffusion several times
faster in white than in grey matter and none in CSF. In units of 1/rho a single parameter remains, the length
lambda = sqrt(D/rho), which sets how wide the infiltrating margin is.
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from mosaicmr.simulation.anatomy import Anatomy, Deformation
from mosaicmr.simulation.blur import gaussian_blur
from mosaicmr.simulation.noise import noise_field

BOX = 64.0  # mm from the seed to the faces of the box that the tumour grows in
OEDEMA_DENSITY = 0.16  # relative cell density at which FLAIR shows the tumour (Swanson et al., 2008)
MAX_STEPS = 1000
KINDS = ("necrotic", "solid", "non-enhancing")
KIND_PROBABILITIES = (0.65, 0.17, 0.18)
FARTHEST = 40.0  # mm; depths are clipped to +- this


@dataclass(frozen=True)
class TumourPlan:
    """The properties by which tumours differ.

    seed: its origin, mm from the centre (RAS+); volume: of everything visible, mm³; length: lambda in white matter, mm;
    grey_ratio: diffusion in grey relative to white matter; kind: one of KINDS; core: share of the volume within the
    oedema; necrosis: share of the core that is necrotic; pressure: largest displacement of the tissue around it, mm.
    """

    seed: torch.Tensor
    volume: float
    length: float
    grey_ratio: float
    kind: str
    core: float
    necrosis: float
    pressure: float


@dataclass(frozen=True)
class Tumour:
    """A grown tumour in a box of half side BOX about its seed.

    fields: float32 [4, n, n, n]: depth (mm, negative inside the oedema's edge) and displacement (3, mm);
    core_depth, necrosis_depth: depths below which the core and the necrosis begin.
    """

    plan: TumourPlan
    fields: torch.Tensor
    core_depth: float
    necrosis_depth: float

    def sample(self, points: torch.Tensor, channels: slice) -> torch.Tensor:
        """Trilinear values [channels, ...] at points [..., 3] in mm; beyond the box, those of its faces."""
        grid = ((points - self.plan.seed) / BOX).flip(-1).reshape(1, 1, 1, -1, 3)
        values = F.grid_sample(self.fields[None, channels], grid, padding_mode="border", align_corners=True)
        return values.reshape(-1, *points.shape[:-1])

    def pull_back(self, points: torch.Tensor) -> torch.Tensor:
        """The places, before the tumour pushed it, of the tissue that now lies at `points` [..., 3] (mm)."""
        return points - self.sample(points, slice(1, 4)).movedim(0, -1)

    def fractions(self, points: torch.Tensor, tissue: torch.Tensor, softness: float) -> torch.Tensor:
        """Fractions [3, ...] of necrosis, oedema and enhancing tumour at points before displacement (mm).

        tissue: float [3, ...], CSF, grey and white matter there; softness: mm over which a class turns into the next.
        Oedema spares CSF and reaches less far into grey matter than into white.
        """
        depth = self.sample(points, slice(0, 1))[0]
        core = torch.sigmoid((self.core_depth - depth) / softness)
        necrosis = torch.sigmoid((self.necrosis_depth - depth) / softness) * core
        reach = torch.sigmoid((-depth - 4.0 * tissue[1]) / softness) * (1 - tissue[0])
        inside = tissue.sum(0).clamp(0, 1)
        return torch.stack([necrosis, (reach - core).clamp(0, 1), core - necrosis]) * inside


def plan_tumour(anatomy: Anatomy, deformation: Deformation, generator: torch.Generator) -> TumourPlan:
    """A random tumour: a seed in the white matter of a random lobe and side, 12 to 160 cm³, of any kind."""
    u = torch.rand(8, generator=generator).tolist()
    kind = KINDS[int(np.searchsorted(np.cumsum(KIND_PROBABILITIES), u[0]).clip(0, 2))]
    return TumourPlan(
        seed=_find_seed(anatomy, deformation, generator),
        volume=1000.0 * math.exp(math.log(12.0) + u[1] * math.log(160.0 / 12.0)),
        length=2.0 + 2.0 * u[2],
        grey_ratio=0.05 + 0.1 * u[3],
        kind=kind,
        core=0.18 + 0.3 * u[4] + (0.15 if kind == "non-enhancing" else 0.0),
        necrosis={"necrotic": 0.25 + 0.4 * u[5], "solid": 0.0, "non-enhancing": 1.0}[kind],
        pressure=1.0 + 6.0 * u[6],
    )


def _find_seed(anatomy: Anatomy, deformation: Deformation, generator: torch.Generator) -> torch.Tensor:
    """A point in the cerebral white matter, at least 14 mm from the midline and away from brain stem and cerebellum."""
    side = 1.0 if torch.rand(1, generator=generator) < 0.5 else -1.0
    for _ in range(200):
        u = torch.rand(64, 3, generator=generator)
        points = torch.stack([side * (14 + 36 * u[:, 0]), -62 + 108 * u[:, 1], -12 + 52 * u[:, 2]], dim=-1)
        white = anatomy.sample(deformation(points))[2]
        if white.max() > 0.8:
            return points[int((white > 0.8).float().argmax())]
    raise RuntimeError("found no white matter to seed a tumour in")


def grow_tumour(
    anatomy: Anatomy, deformation: Deformation, plan: TumourPlan, grid: float, generator: torch.Generator
) -> Tumour:
    """Grow a planned tumour on a lattice of about `grid` mm in the deformed anatomy.

    The lattice spacing changes the result, so it belongs to the configuration.
    """
    count = 2 * round(BOX / grid) + 1
    axis = torch.linspace(-BOX, BOX, count)
    spacing = 2 * BOX / (count - 1)
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1) + plan.seed
    tissue = anatomy.sample(deformation(points))[:3]
    density = _grow(tissue, plan, spacing)
    visible = density > OEDEMA_DENSITY
    depth = _depth(_close_sulci(density, tissue[0], spacing), plan.length)
    wobble = partial(noise_field, generator, (count,) * 3, (2 * BOX,) * 3)
    depth = depth + 4.5 * wobble(24.0) + 1.8 * wobble(9.0)
    depth = depth.clamp(-FARTHEST, FARTHEST)
    core_depth = float(torch.quantile(depth[visible], plan.core))
    core = depth < core_depth
    share = torch.quantile(depth[core & visible], plan.necrosis)
    # A sigmoid at its threshold is one half, so thresholds that mean "none" or "all" lie beyond every depth.
    necrosis_depth = {"solid": -2 * FARTHEST, "non-enhancing": 2 * FARTHEST}.get(plan.kind, float(share))
    displacement = _push(core, visible, tissue, plan, spacing)
    return Tumour(plan, torch.cat([depth[None], displacement]), core_depth, necrosis_depth)


def _grow(tissue: torch.Tensor, plan: TumourPlan, spacing: float) -> torch.Tensor:
    """Integrate the growth equation until the visible volume is reached; returns the density [n, n, n] in [0, 1].

    Explicit Euler on finite volumes: the flux through a face takes the harmonic mean of the two diffusivities, so that
    nothing crosses into CSF or out of the brain.
    """
    diffusivity = plan.length**2 * (tissue[2] + plan.grey_ratio * tissue[1]) / spacing**2
    faces = [_face_means(diffusivity, axis) for axis in range(3)]
    step = min(0.2, 0.9 / (6 * float(diffusivity.max())))
    habitable = (tissue[1] + tissue[2] > 0.5).float()
    density = _seed_density(diffusivity.shape, spacing) * habitable
    for _ in range(MAX_STEPS):
        change = density * (1 - density) * habitable
        for axis, face in enumerate(faces):
            count = density.shape[axis] - 1
            flux = face * density.diff(dim=axis)
            change.narrow(axis, 0, count).add_(flux)
            change.narrow(axis, 1, count).sub_(flux)
        density = density + step * change
        if int((density > OEDEMA_DENSITY).sum()) * spacing**3 >= plan.volume:
            break
    return density.clamp(0, 1)


def _face_means(diffusivity: torch.Tensor, axis: int) -> torch.Tensor:
    count = diffusivity.shape[axis] - 1
    low, high = diffusivity.narrow(axis, 0, count), diffusivity.narrow(axis, 1, count)
    return 2 * low * high / (low + high).clamp_min(1e-9)


def _seed_density(shape: torch.Size, spacing: float) -> torch.Tensor:
    axes = [(torch.arange(count) - (count - 1) / 2) * spacing for count in shape]
    squared = sum(axis.square() for axis in torch.meshgrid(*axes, indexing="ij"))
    return torch.exp(-squared / (2 * 4.0**2))


def _close_sulci(density: torch.Tensor, csf: torch.Tensor, spacing: float) -> torch.Tensor:
    """Let the tumour fill the narrow CSF spaces it surrounds, as a mass effaces sulci, but not a ventricle."""
    tissue = 1 - csf
    around = gaussian_blur(density * tissue, 2.5 / spacing) / gaussian_blur(tissue, 2.5 / spacing).clamp_min(0.4)
    return torch.maximum(density, around * csf)


def _depth(density: torch.Tensor, length: float) -> torch.Tensor:
    """Distance in mm from the visible edge, negative inside.

    The inverse of the travelling wave u = (1 + exp(z / (sqrt(6) lambda)))^-2 (Ablowitz and Zeppetella, Bull. Math.
    Biol. 1979), so that thresholds and irregularities can be given in mm whatever the margin's width.
    """
    wave = (density.clamp(1e-6, 1 - 1e-6).rsqrt() - 1).log()
    edge = math.log(OEDEMA_DENSITY**-0.5 - 1)
    return math.sqrt(6) * length * (wave - edge)


def _push(
    core: torch.Tensor, visible: torch.Tensor, tissue: torch.Tensor, plan: TumourPlan, spacing: float
) -> torch.Tensor:
    """Displacement [3, n, n, n] in mm, down the gradient of the tumour's pressure; none at the brain's surface."""
    load = core.float() + 0.25 * visible.float()
    radius = (float(core.sum()) * spacing**3 * 3 / (4 * math.pi)) ** (1 / 3)
    sigma = 6.0 + 0.5 * radius
    pressure = gaussian_blur(load, sigma / spacing)
    slope = -torch.stack(torch.gradient(pressure, spacing=spacing))
    slope = slope / slope.norm(dim=0).max().clamp_min(1e-9)
    room = ndimage.distance_transform_edt((tissue.sum(0) > 0.5).numpy(), sampling=spacing)
    room = gaussian_blur(torch.from_numpy(np.clip(room / 14.0, 0, 1)).float(), 3.0 / spacing)
    # A displacement that changes by more than half a mm per mm would tear or fold the tissue.
    return slope * room * min(plan.pressure, 0.5 * sigma)

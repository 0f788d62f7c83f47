"""Simulated axial slices with tumours and random contrast: all that the bundled base model is ever trained on.

The idea of SynthSeg (Billot et al., Med. Image Anal. 2023): a network that has seen every contrast, resolution and
shape adapts to a real one quickly, and a model trained on simulated anatomy alone holds no patient's data.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from mosaicmr.cohort.anatomy import Anatomy, random_deformation
from mosaicmr.cohort.contrast import SEQUENCES, TISSUES, mix, tissue_signals, vary_parameters
from mosaicmr.cohort.labels import ENHANCING, NECROSIS, OEDEMA

LOWEST, HIGHEST = -45.0, 65.0  # mm from the centre of the atlas: from the cerebellum to the vertex


@dataclass(frozen=True)
class SimulatedSlice:
    """One axial slice, anterior at the top, the patient's right at the left.

    images: float32 [4, H, W] in [0, 1], modalities as in SEQUENCES; labels: uint8 [H, W], tumour classes;
    brain: bool [H, W]; level: 0 (inferior) to 1 (superior).
    """

    images: torch.Tensor
    labels: torch.Tensor
    brain: torch.Tensor
    level: float


def simulate_slice(
    anatomy: Anatomy, generator: torch.Generator, size: int, pixel_size: float, free_contrast: float = 0.3
) -> SimulatedSlice:
    """A new random slice of `size` pixels of `pixel_size` mm.

    free_contrast: probability that a modality shows contrast drawn at random instead of a signal equation's.
    """
    level = torch.rand(1, generator=generator).item()
    points = _slice_points(size, pixel_size, LOWEST + level * (HIGHEST - LOWEST))
    centre, radius = _tumour_place(generator, points)
    deformation = random_deformation(generator, strength=0.6 + 0.7 * torch.rand(1, generator=generator).item())
    maps = anatomy.sample(deformation(_push_away(points, centre, radius, generator)))
    tissue, template = maps[:3], maps[3]
    brain = tissue.sum(0) > 0.5
    tumour = _tumour_fractions(points, centre, radius, tissue, generator)
    fractions = torch.cat([tissue * (1 - tumour.sum(0)), tumour]) * brain
    images = _render(fractions, template, brain, generator, free_contrast)
    return SimulatedSlice(images, _label(tumour, brain), brain, level)


def _slice_points(size: int, pixel_size: float, height: float) -> torch.Tensor:
    """Coordinates [size, size, 3] in mm (RAS+) of the pixels of an axial slice at a height."""
    axis = (size - 1) / 2 - torch.arange(size, dtype=torch.float32)
    # The atlas' brain lies a little behind the centre of its grid.
    anterior, right = torch.meshgrid(axis * pixel_size - 1.5, axis * pixel_size, indexing="ij")
    return torch.stack([right, anterior, torch.full_like(right, height)], dim=-1)


def _tumour_place(generator: torch.Generator, points: torch.Tensor) -> tuple[torch.Tensor, float]:
    """A centre in the cerebrum (mm) and the radius (mm) at which the oedema ends in this slice."""
    side = 1.0 if torch.rand(1, generator=generator) < 0.5 else -1.0
    u = torch.rand(3, generator=generator)
    centre = torch.tensor([side * (12 + 36 * u[0]), -62 + 108 * u[1], float(points[0, 0, 2])])
    return centre, 9.0 + 32.0 * float(u[2]) ** 1.3


def _push_away(points: torch.Tensor, centre: torch.Tensor, radius: float, generator: torch.Generator) -> torch.Tensor:
    """Mass effect: tissue that was at x - u(x) now lies at x, with u pointing away from the tumour's centre."""
    strength = 0.35 * radius * torch.rand(1, generator=generator).item() ** 2
    offset = points - centre
    distance = offset.norm(dim=-1, keepdim=True).clamp_min(1e-3)
    reach = torch.exp(-((distance / (1.8 * radius)) ** 2))
    return points - strength * reach * offset / (distance + 0.3 * radius)


def _tumour_fractions(
    points: torch.Tensor, centre: torch.Tensor, radius: float, tissue: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Fractions [3, H, W] of necrosis, oedema and enhancing tumour, as in TISSUES.

    A distorted distance from the centre, thresholded; oedema reaches further in white matter and spares CSF.
    """
    spacing = float((points[0, 0] - points[0, 1]).norm())
    offset = (points - centre)[..., :2]
    stretch = torch.diag(0.75 + 0.5 * torch.rand(2, generator=generator))
    distance = (offset @ stretch).norm(dim=-1) / radius
    size = points.shape[0]
    distance = (
        distance
        + 0.16 * smooth_field(generator, size, spacing, 18.0)
        + 0.07 * smooth_field(generator, size, spacing, 6.0)
    )
    u = torch.rand(4, generator=generator)
    core = 0.25 + 0.5 * float(u[0])
    rim = core * (0.35 + 0.6 * float(u[1]))
    softness = spacing / radius
    inside_core = torch.sigmoid((core - distance) / (0.35 * softness)) * (tissue.sum(0) > 0.5)
    if float(u[2]) < 0.18:  # no necrosis: a solid tumour
        necrosis = torch.zeros_like(distance)
    elif float(u[2]) > 0.85:  # no enhancement: all of the core is non-enhancing
        necrosis = inside_core
    else:
        wobble = distance + 0.10 * smooth_field(generator, size, spacing, 5.0)
        necrosis = torch.sigmoid((rim - wobble) / (0.35 * softness)) * inside_core
    affinity = 1.0 + 0.5 * (tissue[2] - 0.5)
    reach = torch.sigmoid((affinity - distance) / (0.5 * softness)) * (1 - tissue[0]).clamp(0, 1)
    oedema = (reach - inside_core).clamp(0, 1) * (0.75 + 0.25 * float(u[3]))
    return torch.stack([necrosis, oedema, (inside_core - necrosis).clamp(0, 1)])


def _label(tumour: torch.Tensor, brain: torch.Tensor) -> torch.Tensor:
    """Tumour classes uint8 [H, W]: the largest fraction where tumour prevails."""
    classes = torch.tensor([NECROSIS.value, OEDEMA.value, ENHANCING.value], dtype=torch.uint8)
    labels = classes[tumour.argmax(0)]
    return torch.where((tumour.sum(0) > 0.5) & brain, labels, torch.zeros_like(labels))


def smooth_field(generator: torch.Generator, size: int, spacing: float, length: float) -> torch.Tensor:
    """Noise [size, size] of about unit variance that varies over `length` mm, at `spacing` mm a pixel."""
    count = max(2, round(size * spacing / length) + 1)
    coarse = torch.randn(1, 1, count, count, generator=generator)
    return 1.3 * F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True)[0, 0]


def _render(
    fractions: torch.Tensor,
    template: torch.Tensor,
    brain: torch.Tensor,
    generator: torch.Generator,
    free_contrast: float,
) -> torch.Tensor:
    """Images [4, H, W] of tissue fractions: signals, texture, bias field, resolution, noise, normalisation."""
    size = brain.shape[-1]
    parameters = vary_parameters(generator, spread=0.12)
    # The same structure shows in every modality: the atlas' fine T1 detail, and a patchy tumour.
    detail = torch.where(brain, template - F.avg_pool2d(template[None], 7, 1, 3)[0], torch.zeros(()))
    patches = [smooth_field(generator, size, 1.0, length) for length in (16.0, 5.0, 2.2)]
    images = []
    for sequence in SEQUENCES.values():
        u = torch.rand(8, generator=generator)
        if float(u[0]) < free_contrast:
            signals = torch.rand(len(TISSUES), generator=generator) * 0.9 + 0.05
        else:
            signals = tissue_signals(parameters, sequence)
            signals = signals / signals[:3].max()
        image = mix(fractions, signals)
        tumour = fractions[3:].sum(0)
        roughness = 0.03 + 0.22 * float(u[1]) * tumour
        texture = sum(weight * patch for weight, patch in zip(torch.rand(3, generator=generator), patches, strict=True))
        image = image * (1 + roughness * 0.6 * texture + (float(u[2]) - 0.3) * detail)
        image = image * torch.exp(0.10 * smooth_field(generator, size, 1.0, size / 2.5))
        image = _blur(image, 0.25 + 0.75 * float(u[3]))
        noise = (
            torch.randn(2, size, size, generator=generator) * (0.004 + 0.03 * float(u[4]) ** 2) * image[brain].mean()
        )
        image = ((image + noise[0]).square() + noise[1].square()).sqrt() * brain
        images.append(normalise(image, brain))
    return torch.stack(images)


def _blur(image: torch.Tensor, sigma: float) -> torch.Tensor:
    radius = 3
    positions = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (positions / sigma) ** 2)
    kernel = kernel / kernel.sum()
    image = F.conv2d(image[None, None], kernel.reshape(1, 1, 1, -1), padding=(0, radius))
    return F.conv2d(image, kernel.reshape(1, 1, -1, 1), padding=(radius, 0))[0, 0]


def normalise(image: torch.Tensor, brain: torch.Tensor) -> torch.Tensor:
    """Scale the brain's 0.5th to 99.5th percentile to [0, 1], as real scans are; 0 outside the brain."""
    values = image[brain]
    if values.numel() < 16:
        return torch.zeros_like(image)
    low, high = torch.quantile(values, torch.tensor([0.005, 0.995]))
    return ((image - low) / (high - low).clamp_min(1e-6)).clamp(0, 1) * brain

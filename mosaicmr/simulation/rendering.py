"""Images of simulated tissue: contrast, texture, vessels, bias field, resolution, noise and normalisation."""

import torch
import torch.nn.functional as F

from mosaicmr.simulation.contrast import SEQUENCES, TISSUES, mix, tissue_signals, vary_parameters
from mosaicmr.simulation.healthy_slice import HealthySlice
from mosaicmr.simulation.noise import smooth_field

SPREADS = (0.02, 0.12)  # of tissue parameters: as the simulated patients', and far wider
HEALTHY = 3  # the first tissues in TISSUES
PROBABILITY_OF_FREE_TUMOUR = 0.35


def render(
    healthy: HealthySlice,
    tumour: torch.Tensor,
    spacing: float,
    generator: torch.Generator,
    free_contrast: float,
) -> torch.Tensor:
    """Images float32 [4, H, W] in [0, 1] of one slice, modalities as in SEQUENCES.

    tumour: fractions [3, H, W]; spacing: mm a pixel; free_contrast: probability that a modality's tissues get random
    signals. Otherwise the signal equations give them, from parameters that vary little in half of the slices and much
    in the others; the tumour's tissues get random signals more often, for a prompt can ask for any.
    """
    brain = healthy.brain
    fractions = torch.cat([healthy.tissue * (1 - tumour.sum(0)), tumour]) * brain
    size = brain.shape[-1]
    spread = SPREADS[int(torch.rand(1, generator=generator) < 0.5)]
    parameters = vary_parameters(generator, spread=spread)
    # The same structure shows in every modality.
    patches = [smooth_field(generator, size, spacing, length) for length in (20.0, 6.5, 3.0)]
    vessels = _vessels(fractions[0], spacing, generator)
    images = []
    for sequence in SEQUENCES.values():
        u = torch.rand(9, generator=generator).tolist()
        if u[0] < free_contrast:
            signals = torch.rand(len(TISSUES), generator=generator) * 0.9 + 0.05
        else:
            signals = tissue_signals(parameters, sequence)
            signals = signals / signals[:HEALTHY].max()
            free = torch.rand(len(TISSUES), generator=generator) < PROBABILITY_OF_FREE_TUMOUR
            free[:HEALTHY] = False
            signals = torch.where(free, 0.05 + 1.25 * torch.rand(len(TISSUES), generator=generator), signals)
        image = mix(fractions, signals)
        # Each tissue of a tumour is smooth or patchy by itself.
        patchy = 0.03 + 0.35 * mix(fractions[HEALTHY:], torch.rand(3, generator=generator).square())
        weights = torch.rand(3, generator=generator)
        texture = sum(weight * patch for weight, patch in zip(weights, patches, strict=True))
        image = image * (1 + 0.6 * patchy * texture + (u[2] - 0.3) * healthy.detail)
        image = image + vessels * (1.2 * u[7] if sequence.gadolinium else 0.25 * (u[7] - 0.5)) * signals[:HEALTHY].max()
        image = image * torch.exp((0.03 + 0.15 * u[8]) * smooth_field(generator, size, 1.0, size / 2.2))
        image = _blur(image.clamp_min(0), (0.2 + 0.8 * u[3]) / spacing)
        level = (0.003 + 0.03 * u[4] ** 2) * image[brain].mean()
        noise = torch.randn(2, size, size, generator=generator) * level
        image = ((image + noise[0]).square() + noise[1].square()).sqrt() * brain
        images.append(normalise(image, brain))
    return torch.stack(images)


def _vessels(csf: torch.Tensor, spacing: float, generator: torch.Generator) -> torch.Tensor:
    """Vessels float [H, W] in [0, 1]: short thin lines in and beside the sulci."""
    size = csf.shape[-1]
    field = smooth_field(generator, size, spacing, 8.0)
    slope = torch.stack(torch.gradient(field, spacing=spacing)).norm(dim=0).clamp_min(0.05)
    lines = torch.sigmoid((0.6 - field.abs() / slope) / (0.4 * spacing))
    sparse = (smooth_field(generator, size, spacing, 12.0) > 0.7).float()
    beside = F.max_pool2d(csf[None], 3, 1, 1)[0]
    return lines * sparse * beside


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

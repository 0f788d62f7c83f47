"""Images of a simulated slice: contrast, texture and vessels vary more widely than in any one hospital.

They are for pretraining, where variety matters most. The images of simulated patients (mosaicmr.simulation.phantom)
stay close to a real scanner instead; both pass the same scanner and the same normalisation.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F

from mosaicmr.cohort.normalise import normalise_intensities
from mosaicmr.simulation.contrast import SEQUENCES, Sequence, tissue_signals, vary_parameters
from mosaicmr.simulation.healthy_slice import HealthySlice
from mosaicmr.simulation.noise import noise_field
from mosaicmr.simulation.scanner import Scanner, acquire
from mosaicmr.simulation.tissue import HEALTHY, TISSUES, combine, mix

SPREADS = (0.02, 0.12)  # of tissue parameters: that of simulated patients, and a far wider spread
PROBABILITY_OF_FREE_TUMOUR = 0.35
BIAS_PERIODS = 2.2  # lengths of the bias field that fit in a slice
PERCENTILES = (0.5, 99.5)  # of the brain, which become 0 and 1: the default of real scans


def draw_images(
    healthy: HealthySlice,
    tumour: torch.Tensor,
    spacing: float,
    generator: torch.Generator,
    free_contrast: float,
) -> torch.Tensor:
    """Images float32 [4, H, W] in [0, 1] of one slice, modalities as in SEQUENCES; 0 outside the brain.

    tumour: fractions [3, H, W]; spacing: mm a pixel; free_contrast: probability that a modality's tissues get random
    signals instead of those of the signal equations.
    """
    brain = healthy.brain
    fractions = combine(healthy.tissue, tumour, brain)
    extent = [side * spacing for side in brain.shape]
    noise = partial(noise_field, generator, brain.shape, extent)
    # Parameters vary little in half of the slices and much in the others.
    spread = SPREADS[int(torch.rand(1, generator=generator) < 0.5)]
    parameters = vary_parameters(generator, spread=spread)
    # The same structure shows in every modality.
    patches = [noise(length) for length in (20.0, 6.5, 3.0)]
    vessels = _vessels(fractions[0], spacing, noise)
    images = []
    for sequence in SEQUENCES.values():
        # Three of the nine go unused; drawing fewer would change every slice of a seed.
        u = torch.rand(9, generator=generator).tolist()
        signals = _draw_signals(parameters, sequence, u[0] < free_contrast, generator)
        image = mix(fractions, signals)
        # Each tissue of a tumour is smooth or patchy by itself.
        patchy = 0.03 + 0.35 * mix(fractions[HEALTHY:], torch.rand(3, generator=generator).square())
        weights = torch.rand(3, generator=generator)
        texture = sum(weight * patch for weight, patch in zip(weights, patches, strict=True))
        image = image * (1 + 0.6 * patchy * texture + (u[2] - 0.3) * healthy.detail)
        image = image + vessels * (1.2 * u[7] if sequence.gadolinium else 0.25 * (u[7] - 0.5)) * signals[:HEALTHY].max()
        scanner = Scanner(
            bias=0.03 + 0.15 * u[8],
            bias_length=max(extent) / BIAS_PERIODS,
            blur=0.2 + 0.8 * u[3],
            noise=0.003 + 0.03 * u[4] ** 2,
        )
        images.append(acquire(image.clamp_min(0), brain, spacing, scanner, generator))
    return torch.from_numpy(normalise_intensities(torch.stack(images).numpy(), brain.numpy(), PERCENTILES))


def _draw_signals(parameters: torch.Tensor, sequence: Sequence, free: bool, generator: torch.Generator) -> torch.Tensor:
    """Signal float32 [tissues] of each tissue in one modality: all at random if `free`, or by the signal equation.

    With the signal equation, a tumour's tissues still often get random signals, because a prompt can ask for any look.
    """
    if free:
        return torch.rand(len(TISSUES), generator=generator) * 0.9 + 0.05
    signals = tissue_signals(parameters, sequence)
    signals = signals / signals[:HEALTHY].max()
    replaced = torch.rand(len(TISSUES), generator=generator) < PROBABILITY_OF_FREE_TUMOUR
    replaced[:HEALTHY] = False
    return torch.where(replaced, 0.05 + 1.25 * torch.rand(len(TISSUES), generator=generator), signals)


def _vessels(csf: torch.Tensor, spacing: float, noise: Callable[[float], torch.Tensor]) -> torch.Tensor:
    """Vessels float [H, W] in [0, 1]: short thin lines in and beside the sulci.

    noise: draws a field [H, W] that varies over a length in mm.
    """
    field = noise(8.0)
    slope = torch.stack(torch.gradient(field, spacing=spacing)).norm(dim=0).clamp_min(0.05)
    lines = torch.sigmoid((0.6 - field.abs() / slope) / (0.4 * spacing))
    sparse = (noise(12.0) > 0.7).float()
    beside = F.max_pool2d(csf[None], 3, 1, 1)[0]
    return lines * sparse * beside

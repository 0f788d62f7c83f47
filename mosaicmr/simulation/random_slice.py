"""Simulated axial slices with tumours and random contrast, on which the bundled base model is trained.

The idea of SynthSeg (Billot et al., Med. Image Anal. 2023): a network that has seen every contrast, resolution and
shape adapts quickly to real scans, and a model trained on simulated anatomy alone holds no patient's data.
"""

from dataclasses import dataclass

import torch

from mosaicmr.simulation.anatomy import Anatomy
from mosaicmr.simulation.healthy_slice import simulate_anatomy
from mosaicmr.simulation.slice_images import draw_images
from mosaicmr.simulation.tissue import tumour_labels
from mosaicmr.simulation.tumour_slice import place_tumour, push_away, tumour_fractions

LOWEST, HIGHEST = -45.0, 65.0  # mm from the centre of the atlas: from the cerebellum to the vertex
PROBABILITY_OF_TUMOUR = 0.93


@dataclass(frozen=True)
class SimulatedSlice:
    """One axial slice, anterior at the top, the patient's right at the left.

    images: float32 [4, H, W] in [0, 1], modalities as in SEQUENCES; labels: uint8 [H, W], tumour classes;
    brain: bool [H, W]; height: 0 (inferior) to 1 (superior).
    """

    images: torch.Tensor
    labels: torch.Tensor
    brain: torch.Tensor
    height: float


def simulate_slice(
    anatomy: Anatomy, generator: torch.Generator, size: int, pixel_size: float, free_contrast: float = 0.3
) -> SimulatedSlice:
    """A new random slice of `size` pixels of `pixel_size` mm.

    free_contrast: probability that a modality shows contrast drawn at random instead of a signal equation's.
    """
    height = torch.rand(1, generator=generator).item()
    z = LOWEST + height * (HIGHEST - LOWEST)
    points = _slice_points(size, pixel_size, z)
    place = place_tumour(generator, z)
    has_tumour = torch.rand(1, generator=generator).item() < PROBABILITY_OF_TUMOUR
    pushed = push_away(points, place, generator) if has_tumour else points
    healthy = simulate_anatomy(anatomy, pushed, generator)
    tumour = tumour_fractions(points, place, healthy.tissue, generator) * has_tumour
    images = draw_images(healthy, tumour, pixel_size, generator, free_contrast)
    return SimulatedSlice(images, tumour_labels(tumour * healthy.brain), healthy.brain, height)


def _slice_points(size: int, pixel_size: float, z: float) -> torch.Tensor:
    """Coordinates [size, size, 3] in mm (RAS+) of the pixels of the axial slice at z mm."""
    axis = (size - 1) / 2 - torch.arange(size, dtype=torch.float32)
    # The atlas' brain lies a little behind the centre of its grid.
    anterior, right = torch.meshgrid(axis * pixel_size - 1.5, axis * pixel_size, indexing="ij")
    return torch.stack([right, anterior, torch.full_like(right, z)], dim=-1)

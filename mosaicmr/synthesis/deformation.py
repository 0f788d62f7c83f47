"""Smooth random deformation of a slice: a small affine map and an elastic field (Simard, Steinkraus & Platt 2003)."""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from mosaicmr.synthesis.annotated_slice import AnnotatedSlice

SMOOTHNESS = 24.0  # mm, standard deviation of the Gaussian that smooths the elastic field
MIN_SMOOTHNESS_RATIO = 6.0  # of smoothness to deformation: with less the field could fold tissue over
HEAD_RADIUS = 70.0  # mm, where the affine map displaces as much as the elastic field does


def random_coordinates(
    shape: tuple[int, int], pixel_size: float, deformation: float, generator: np.random.Generator
) -> np.ndarray:
    """Draw the source position of each pixel of the deformed slice.

    deformation: mm, standard deviation of each component of the elastic displacement, and of the displacement by
    rotation and by scaling (of each axis) at a distance of 70 mm from the centre; both are cut at two standard
    deviations for the affine part. 0 is the identity. Returns float64 [2, H, W], rows and columns.
    """
    grid = np.stack(np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")).astype(np.float64)
    angle, *scales = np.clip(generator.standard_normal(3), -2, 2) * deformation / HEAD_RADIUS
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = (np.array(shape)[:, None, None] - 1) / 2
    affine = np.tensordot(turn @ np.diag(1 + np.array(scales)), grid - centre, axes=1) + centre
    noise = generator.standard_normal(grid.shape)
    smoothness = max(SMOOTHNESS, MIN_SMOOTHNESS_RATIO * deformation) / pixel_size
    field = np.stack([gaussian_filter(component, smoothness) for component in noise])
    # Without its mean, which would move the head off the middle of the image.
    field -= field.mean(axis=(1, 2), keepdims=True)
    field *= deformation / pixel_size / field.std()
    return affine + field


def deform(annotated: AnnotatedSlice, coordinates: np.ndarray) -> AnnotatedSlice:
    """Sample a slice at `coordinates` (float [2, H, W]): cubic for images, nearest neighbour for maps.

    All maps are sampled alike, so maps that fit each other still do so afterwards; images are 0 outside the brain.
    """

    def nearest(values: np.ndarray) -> np.ndarray:
        return map_coordinates(values, coordinates, order=0)

    brain = nearest(annotated.brain)
    images = np.stack([map_coordinates(image, coordinates, order=3) for image in annotated.images])
    images = np.clip(images, 0, 1) * (brain > 0)
    return AnnotatedSlice(images.astype(np.float32), nearest(annotated.labels), brain, nearest(annotated.domains))

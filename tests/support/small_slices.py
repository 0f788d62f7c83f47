"""Small slices with ventricles, grey and white matter and a tumour, for the tests of partition and layouts."""

import numpy as np

SIZE, PIXEL = 64, 3.0  # pixels, mm
FLUID, GREY_MATTER, WHITE_MATTER = 0.2, 0.5, 0.8
TISSUE_DOMAINS = {FLUID: 4, GREY_MATTER: 5, WHITE_MATTER: 6}  # ids with the three tumour classes of brats2021


def ellipse(row: float, column: float, height: float, width: float) -> np.ndarray:
    """bool [SIZE, SIZE], an ellipse with these half axes in pixels."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return ((rows - row) / height) ** 2 + ((columns - column) / width) ** 2 <= 1


def brain_mask() -> np.ndarray:
    """bool: a brain whose midline lies between the two middle columns."""
    return ellipse(31.5, 31.5, 28, 22)


def tissue_greys(gain: float = 1.0, noise: float = 0.02, seed: int = 0) -> np.ndarray:
    """float64: T1-like greys, cortex around white matter around two ventricles, times `gain`."""
    grey = np.where(brain_mask(), GREY_MATTER, 0.0)
    grey[ellipse(31.5, 31.5, 22, 16)] = WHITE_MATTER
    grey[ellipse(31.5, 27, 8, 3) | ellipse(31.5, 36, 8, 3)] = FLUID
    grey += np.random.default_rng(seed).normal(0, noise, grey.shape)
    return np.clip(grey * gain, 0.01, 1) * brain_mask()


def tumour_labels(row: float = 18, column: float = 20, radius: float = 5) -> np.ndarray:
    """uint8: oedema around enhancing tumour around necrosis."""
    labels = np.zeros((SIZE, SIZE), np.uint8)
    for value, share in ((2, 1.0), (3, 0.7), (1, 0.4)):
        labels[ellipse(row, column, radius * share, radius * share)] = value
    return labels

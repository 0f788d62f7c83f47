"""Grayscale-adapted Voronoi tessellation of the healthy brain of a slice.

Sites live in position and grey level, and a pixel belongs to the site nearest in

    d² = |x - x_site|² / s² + grey_weight · (g - g_site)² / sigma²                                                  (1)

with s the mean spacing of the sites and sigma the standard deviation of the slice's healthy grey levels, so that
`grey_weight` means the same at every resolution and contrast. This is the joint position-grey distance of SLIC
superpixels (Achanta et al., IEEE TPAMI 34:2274, 2012, eq. 1-3), here over all sites instead of a window. Sites move by
Lloyd's iteration (Lloyd, IEEE Trans. Inf. Theory 28:129, 1982) to the centroids of their cells under the density
rho = (relative grey gradient) ** density_power: a weighted centroidal Voronoi tessellation (Du, Faber & Gunzburger,
SIAM Review 41:637, 1999, eq. 1.4), whose cells are smaller where the grey level changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import distance_transform_edt, gaussian_gradient_magnitude
from scipy.spatial import cKDTree

from mosaicmr.partition.fragments import connect_cells
from mosaicmr.seeds import numpy_generator
from mosaicmr.stage import progress

GRADIENT_SIGMA = 1.0  # mm, the scale of an edge between tissues
MIN_CONTRAST = 0.01  # standard deviation of grey below which a slice counts as flat, its grey differences as noise
FLAT_GRADIENT = 0.1  # share of the mean gradient added everywhere, so that flat tissue keeps some density


@dataclass(frozen=True)
class TessellationSettings:
    """Settings of the tessellation: the keys of the same names in the config's `partition`.

    cells: sites in a slice. iterations: of Lloyd. grey_weight: how much a grey difference of one
    standard deviation counts against one site spacing (squared). density_power: 0 makes cells of equal size.
    min_fragment_area: mm², the smallest piece a cell may have.
    """

    cells: int
    iterations: int
    grey_weight: float
    density_power: float
    min_fragment_area: float


def tessellate(
    grey: np.ndarray, healthy: np.ndarray, pixel_size: float, settings: TessellationSettings, seed: int, slice_name: str
) -> np.ndarray:
    """Divide the healthy brain of a slice into cells.

    grey: float [H, W] in [0, 1], the reference modality. healthy: bool [H, W], brain without tumour. pixel_size: mm.
    The result depends only on `seed`, `slice_name` and the slice itself.
    Returns uint16 [H, W]: 0 exactly where `healthy` is false, else the cell, numbered from 1 without gaps in reading
    order of the cells' first pixels. Every cell is a 4-connected piece of at least `min_fragment_area`, except for
    islands of healthy brain that are smaller than that themselves: those belong to the nearest cell.
    """
    healthy = np.asarray(healthy, bool)
    cells = np.zeros(healthy.shape, np.uint16)
    if not healthy.any():
        return cells
    grey = np.asarray(grey, np.float64)
    min_pixels = settings.min_fragment_area / pixel_size**2
    nearest = _lloyd(grey, healthy, pixel_size, settings, min_pixels, numpy_generator(seed, "tessellation", slice_name))
    cells[healthy] = nearest + 1
    return connect_cells(cells, grey, min_pixels)


def tessellate_slices(
    grey: np.ndarray,
    brain: np.ndarray,
    labels: np.ndarray,
    pixel_size: float,
    settings: TessellationSettings,
    seed: int,
    names: Sequence[str],
) -> np.ndarray:
    """Divide the brain without tumour of the slices called `names`: `tessellate` for each.

    grey: float [n, H, W] in [0, 1]; brain, labels: uint8 [n, H, W]; pixel_size: mm. Returns uint16 [n, H, W].
    """
    healthy = (brain > 0) & (labels == 0)
    cells = np.zeros(healthy.shape, np.uint16)
    for i, name in enumerate(progress(names, len(names), "slices tessellated")):
        cells[i] = tessellate(grey[i], healthy[i], pixel_size, settings, seed, name)
    return cells


def _lloyd(
    grey: np.ndarray,
    healthy: np.ndarray,
    pixel_size: float,
    settings: TessellationSettings,
    min_pixels: float,
    generator: np.random.Generator,
) -> np.ndarray:
    """Index of the nearest site for every healthy pixel, in reading order, after Lloyd's iterations."""
    positions = np.argwhere(healthy).astype(np.float64)
    # A cell needs room for a few fragments, or all of them would be merged away again.
    count = int(np.clip(len(positions) / (2 * max(min_pixels, 1)), 1, settings.cells))
    spacing = np.sqrt(len(positions) / count)
    grey_scale = np.sqrt(settings.grey_weight) / max(float(grey[healthy].std()), MIN_CONTRAST)
    points = np.column_stack([positions / spacing, grey_scale * grey[healthy]])
    density = grey_density(grey, healthy, pixel_size, settings.density_power)[healthy]
    sites = points[generator.choice(len(points), count, replace=False, p=density / density.sum())]
    nearest = cKDTree(sites).query(points)[1]
    for _ in range(settings.iterations):
        sites = _centroids(points, density, nearest, sites)
        previous, nearest = nearest, cKDTree(sites).query(points)[1]
        if np.array_equal(previous, nearest):
            break
    return nearest


def grey_density(grey: np.ndarray, healthy: np.ndarray, pixel_size: float, power: float) -> np.ndarray:
    """Density of sites: the gradient of the grey level relative to its mean over the healthy brain, to `power`.

    grey: float [H, W]; healthy: bool [H, W], not empty. Returns float64 [H, W], positive. The border of the brain and
    of the tumour is no edge of healthy tissue: outside, the nearest healthy pixel's grey is used.
    """
    index = distance_transform_edt(~healthy, return_distances=False, return_indices=True)
    gradient = gaussian_gradient_magnitude(grey[tuple(index)], max(GRADIENT_SIGMA / pixel_size, 0.5))
    mean = gradient[healthy].mean()
    if mean == 0:
        return np.ones_like(gradient)
    return (gradient / mean + FLAT_GRADIENT) ** power


def _centroids(points: np.ndarray, density: np.ndarray, nearest: np.ndarray, sites: np.ndarray) -> np.ndarray:
    """Density-weighted mean of each site's points; a site without points stays where it is."""
    mass = np.bincount(nearest, density, minlength=len(sites))
    moments = np.column_stack(
        [np.bincount(nearest, density * points[:, axis], minlength=len(sites)) for axis in range(points.shape[1])]
    )
    return np.where(mass[:, None] > 0, moments / np.maximum(mass, np.finfo(float).tiny)[:, None], sites)


def measure_cells(cells: np.ndarray, grey: np.ndarray, pixel_size: float) -> pd.DataFrame:
    """Mean grey and area of each cell of a slice.

    cells: uint16 [H, W], 0 outside; grey: float [H, W], the reference modality; pixel_size: mm.
    Returns columns cell (int, rising), grey (float64), area_mm2 (float64).
    """
    count = np.bincount(cells.ravel())
    total = np.bincount(cells.ravel(), np.asarray(grey, np.float64).ravel())
    present = np.flatnonzero(count)
    present = present[present > 0]
    return pd.DataFrame(
        {"cell": present, "grey": total[present] / count[present], "area_mm2": count[present] * pixel_size**2}
    )


def relative_grey(cells: pd.DataFrame) -> pd.Series:
    """Grey of every cell relative to the area-weighted median over all healthy cells of its subject.

    cells: columns subject, grey (0..1), area_mm2, with all cells of each subject. Returns float64 on the same index, 1
    in a subject's typical healthy tissue; a subject whose median is 0 keeps its greys.
    """

    def median(subject: pd.DataFrame) -> float:
        ordered = subject.sort_values("grey")
        below = ordered["area_mm2"].cumsum()
        return float(ordered["grey"].to_numpy()[np.searchsorted(below, below.iloc[-1] / 2)])

    medians = {name: median(subject) or 1.0 for name, subject in cells.groupby("subject")}
    return cells["grey"] / cells["subject"].map(medians).astype(float)

"""The figure that lets a reader check the partition by eye."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from skimage.segmentation import find_boundaries

from mosaicmr.cohort.selection import TRAINING, select_splits
from mosaicmr.figures.style import BLACK, YELLOW, domain_colours, house_style, new_figure, window_around
from mosaicmr.partition.domains import HEALTHY, Domain, thresholds

OVERLAY = 0.55  # opacity of the domains' colours over the image
BINS = 60


@dataclass(frozen=True)
class Panel:
    """A slice to show: grey float [H, W] in [0, 1] (reference modality), cells uint16 [H, W], domains uint8 [H, W]."""

    title: str
    grey: np.ndarray
    cells: np.ndarray
    domains: np.ndarray


def choose_panels(slices: pd.DataFrame, subjects: pd.DataFrame, count: int = 3) -> pd.DataFrame:
    """Rows of `slices` (columns subject, height, tumour_area_mm2) to show: one slice each of different training
    patients.

    Patients are taken in table order, evenly spread; of each the slice with the most tumour. subjects: columns subject,
    patient, split.
    """
    found = select_splits(slices, subjects, TRAINING)
    largest = found.sort_values("tumour_area_mm2", ascending=False, kind="stable").drop_duplicates("patient")
    largest = largest.sort_values("patient", kind="stable")
    chosen = np.unique(np.linspace(0, len(largest) - 1, min(count, len(largest))).round().astype(int))
    return largest.iloc[chosen]


def draw_partition(panels: Sequence[Panel], domains: Sequence[Domain], cells: pd.DataFrame, reference: str) -> Figure:
    """One row a slice (image, cells, domains), and below the histogram of cell greys with the fitted thresholds.

    cells: columns relative_grey, area_mm2 of the training patients. reference: name of the reference modality.
    """
    colours = domain_colours([domain.name for domain in domains])
    with house_style():
        figure = new_figure(6.9, 2.25 * len(panels) + 2.5)
        top, bottom = figure.subfigures(2, 1, height_ratios=[2.25 * len(panels), 2.5])
        axes = top.subplots(len(panels), 3, squeeze=False)
        for row, panel in zip(axes, panels, strict=True):
            _draw_slice(row, panel, domains, colours)
        for axis, title in zip(axes[0], (reference, "Cells", "Domains"), strict=True):
            axis.set_title(title)
        handles = [Patch(color=colours[domain.name], label=domain.name) for domain in domains]
        top.legend(handles=handles, loc="outside lower center", ncols=len(handles), handlelength=1.2, columnspacing=1.2)
        _draw_histogram(bottom.subplots(), domains, colours, cells, reference)
    return figure


def _draw_slice(axes: Sequence[Axes], panel: Panel, domains: Sequence[Domain], colours: dict[str, str]) -> None:
    window = window_around(panel.domains > 0)
    grey = np.repeat(np.asarray(panel.grey, np.float32)[..., None], 3, axis=2)
    borders = find_boundaries(np.kron(panel.cells, np.ones((3, 3), int)), mode="inner")
    tumour = (panel.domains > 0) & (panel.cells == 0)
    cells = np.kron(grey, np.ones((3, 3, 1), np.float32))
    cells[borders] = to_rgb(YELLOW)
    overlay = grey.copy()
    for domain in domains:
        inside = panel.domains == domain.id
        overlay[inside] = (1 - OVERLAY) * grey[inside] + OVERLAY * np.array(to_rgb(colours[domain.name]))
    side, height = panel.grey.shape[1], panel.grey.shape[0]
    for axis, image in zip(axes, (grey, cells, overlay), strict=True):
        # As bytes: resampling floats rounds differently with where an array lies in memory.
        pixels = np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)
        axis.imshow(pixels, interpolation="nearest", extent=(-0.5, side - 0.5, height - 0.5, -0.5))
        axis.set_xlim(window[1].start - 0.5, window[1].stop - 0.5)
        axis.set_ylim(window[0].stop - 0.5, window[0].start - 0.5)
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    if tumour.any():
        axes[1].contour(tumour, levels=[0.5], colors="white", linewidths=0.9)
    axes[0].set_ylabel(panel.title)


def _draw_histogram(
    axis: Axes, domains: Sequence[Domain], colours: dict[str, str], cells: pd.DataFrame, reference: str
) -> None:
    healthy = [domain for domain in domains if domain.kind == HEALTHY]
    greys = cells["relative_grey"].to_numpy(float)
    edges = np.linspace(0, max(np.quantile(greys, 0.999), 1) * 1.02, BINS + 1)
    area = np.histogram(greys, edges, weights=cells["area_mm2"] / cells["area_mm2"].sum() * 100)[0]
    centres = (edges[:-1] + edges[1:]) / 2
    bounds = thresholds(domains)
    for index, domain in enumerate(healthy):
        inside = np.searchsorted(bounds, centres, side="right") == index
        share = np.searchsorted(bounds, greys, side="right") == index
        percent = 100 * cells["area_mm2"].to_numpy()[share].sum() / cells["area_mm2"].sum()
        label = f"{domain.name} ({percent:.0f} % of healthy area)"
        axis.bar(centres[inside], area[inside], np.diff(edges)[inside], color=colours[domain.name], label=label)
    for bound in bounds:
        axis.axvline(bound, color=BLACK, linestyle="--", linewidth=0.9)
        axis.annotate(f"{bound:.2f}", (bound, 0.97), xycoords=("data", "axes fraction"), xytext=(3, 0),
                      textcoords="offset points", va="top", fontsize=8)  # fmt: skip
    axis.set(xlabel=f"{reference} grey of a cell / median of the patient's healthy tissue", ylabel="Healthy area (%)")
    axis.set_xlim(edges[0], edges[-1])
    axis.legend(loc="upper left")

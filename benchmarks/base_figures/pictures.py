"""Contact sheets, which show the slices behind the figures. Slices are evenly spread, so nobody picked the best."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from benchmarks.base_figures.phantoms import DOMAINS, Phantoms
from mosaicmr.figures.grid import spread
from mosaicmr.figures.style import domain_colours, house_style, new_figure
from mosaicmr.pretraining.conditions import SIMULATED_CLASSES
from mosaicmr.pretraining.unet_sets import MODALITIES

ROWS = 6
PANEL = 1.3  # inches
AMPLIFIED = 10  # times, in pictures of differences


def sheet(rows: Sequence[Sequence[np.ndarray]], columns: Sequence[str], names: Sequence[str] = ()) -> Figure:
    """Pictures [H, W] or [H, W, 3] in [0, 1] in rows, with a title for each column and a name for each row."""
    with house_style():
        figure = new_figure(PANEL * len(columns) + (0.9 if names else 0), PANEL * len(rows) + 0.3)
        figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
        panels = figure.subplots(len(rows), len(columns), squeeze=False)
        for axes, title in zip(panels[0], columns, strict=True):
            axes.set_title(title, loc="center")
        for axes, pictures in zip(panels, rows, strict=True):
            for axis, picture in zip(axes, pictures, strict=True):
                axis.imshow(picture.astype(np.float32), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set_visible(False)
        for axes, name in zip(panels[:, 0], names, strict=False):
            axes.set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


def reconstruction_sheet(images: np.ndarray, decoded: np.ndarray) -> Figure:
    """Original, reconstruction and their difference (amplified, 0 is mid-grey) of some slices [n, M, H, W]."""
    rows = []
    for row in spread(len(images), ROWS):
        difference = np.clip(0.5 + AMPLIFIED * (decoded[row] - images[row]), 0, 1)
        rows.append([picture for trio in zip(images[row], decoded[row], difference, strict=True) for picture in trio])
    kinds = ("reconstructed", f"difference × {AMPLIFIED}")
    return sheet(rows, [title for modality in MODALITIES for title in (modality, *kinds)])


def sample_sheet(phantoms: Phantoms, domains: np.ndarray, drawn: np.ndarray) -> Figure:
    """Layout, sample and the phantom that the layout is of, for some slices; drawn: [n, M, H, W], as it was drawn.

    Up to half of them show all tumour classes.
    """
    classes = [tumour.value for tumour in SIMULATED_CLASSES]
    whole = np.array([np.isin(classes, labels).all() for labels in phantoms.labels])
    chosen = [np.flatnonzero(whole)[index] for index in spread(int(whole.sum()), ROWS // 2)]
    chosen += [np.flatnonzero(~whole)[index] for index in spread(int((~whole).sum()), ROWS - len(chosen))]
    rows = [[colour_domains(domains[row]), *drawn[row], *phantoms.images[row]] for row in sorted(chosen)]
    return sheet(rows, ["layout", *MODALITIES, *(f"phantom {modality}" for modality in MODALITIES)])


def prompt_sheet(names: Sequence[str], domains: np.ndarray, drawn: np.ndarray) -> Figure:
    """Layout and sample of each prompt; names: what each prompt asks for."""
    rows = [[colour_domains(layout), *images] for layout, images in zip(domains, drawn, strict=True)]
    return sheet(rows, ["layout", *MODALITIES], names)


def comparison_sheet(columns: Sequence[str], sets: Sequence[np.ndarray], modality: int) -> Figure:
    """One modality of the same slices in several sets [n, M, H, W], side by side."""
    chosen = spread(len(sets[0]), ROWS)
    return sheet([[images[row, modality] for images in sets] for row in chosen], columns)


def colour_domains(domains: np.ndarray) -> np.ndarray:
    """A domain map uint8 [H, W] in colours on black, float [H, W, 3]."""
    colours = domain_colours(DOMAINS)
    palette = np.array([(0.0, 0.0, 0.0), *(to_rgb(colours[name]) for name in DOMAINS)])
    return palette[domains]

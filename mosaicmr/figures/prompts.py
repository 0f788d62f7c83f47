"""The effect of a prompt: the same layout under prompts that differ in one word."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mosaicmr.cohort.labels import ENHANCING, NECROSIS, TumourClass
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.figures.style import BLACK, VERMILION, class_colours, house_style, new_figure, window_around
from mosaicmr.prompts.looks import SHADES

PANEL = 1.75  # inches
TEXT = 0.42  # inches below a panel
WITHOUT_LOOKS = (
    "No prompt of this run says how bright a class is: that takes three\ntraining slices with at least 20 mm² of it."
)


def shown_modality(tumour_class: TumourClass, modalities: Sequence[str]) -> str:
    """The modality in which radiologists look for a tumour class, or the first where the cohort lacks it.

    That is T1ce for enhancing tumour and for the necrotic core that it surrounds, FLAIR for oedema and cavities. A
    cohort's own class has that of the class that it resembles.
    """
    best = "T1ce" if tumour_class.like in (ENHANCING.name, NECROSIS.name) else "FLAIR"
    return best if best in modalities else modalities[0]


def draw_prompts(
    images: np.ndarray, labels: np.ndarray, brain: np.ndarray, table: pd.DataFrame, header: SliceHeader
) -> Figure:
    """A row for each tumour class whose brightness was asked for, a column for each word.

    images: [K, M, H, W] in [0, 1]; labels: uint8 [H, W] of all of them, whose class is outlined; brain: [H, W]. table:
    columns tumour_class, brightness (asked), row (of images), modality, lower, upper, mean, measured, as
    `measure_sweep` returns them; empty where no prompt asks for a look, which the figure then says. Below each panel
    stand the asked and the measured brightness.
    """
    modalities, colours = header.modalities, class_colours([tumour.name for tumour in header.classes])
    if table.empty:
        return _say_why(WITHOUT_LOOKS)
    tumours = [tumour for tumour in header.classes if tumour.name in set(table["tumour_class"])]
    window = window_around(brain > 0)
    with house_style():
        figure = new_figure(len(SHADES) * PANEL + 0.3, len(tumours) * (PANEL * _shape(window) + TEXT) + 0.3)
        panels = figure.subplots(len(tumours), len(SHADES), squeeze=False)
        for axes, word in zip(panels[0], SHADES, strict=True):
            axes.set_title(f"asked: {word}", loc="center")
        for row, tumour in zip(panels, tumours, strict=True):
            modality = shown_modality(tumour, modalities)
            of_row = table[(table["tumour_class"] == tumour.name) & (table["modality"] == modality)]
            asked = of_row.set_index("brightness")
            for axes, word in zip(row, SHADES, strict=True):
                image = images[asked.loc[word, "row"], list(modalities).index(modality)]
                _draw_panel(axes, image[window], labels[window] == tumour.value, colours[tumour.name])
                measured = asked.loc[word, "measured"]
                colour = BLACK if measured == word else VERMILION
                axes.set_xlabel(_words(word, asked.loc[word]), fontsize=7, color=colour, labelpad=2)
            row[0].set_ylabel(f"{tumour.words}\n{modality}")
        figure.get_layout_engine().set(w_pad=0.02, h_pad=0.03, wspace=0, hspace=0)
    return figure


def _say_why(words: str) -> Figure:
    with house_style():
        figure = new_figure(len(SHADES) * PANEL + 0.3, 0.6)
        figure.text(0.5, 0.5, words, ha="center", va="center", fontsize=7)
    return figure


def _shape(window: tuple[slice, slice]) -> float:
    """Height over width."""
    rows, columns = window
    return (rows.stop - rows.start) / (columns.stop - columns.start)


def _words(word: str, found: pd.Series) -> str:
    """The asked range of mean intensities, and the measured mean."""
    lower, upper = found["lower"], found["upper"]
    bounds = (f"at most {lower:.3f}", f"{lower:.3f} to {upper:.3f}", f"above {upper:.3f}")
    return f"asked {bounds[SHADES.index(word)]}\nmeasured {found['mean']:.3f}, {found['measured']}"


def _draw_panel(axes: Axes, image: np.ndarray, region: np.ndarray, colour: str) -> None:
    axes.imshow(image.astype(np.float32), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.contour(region, levels=[0.5], colors=[colour], linewidths=0.6)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)

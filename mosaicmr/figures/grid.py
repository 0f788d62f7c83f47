"""Slices of training patients beside synthetic slices: the first figure that a reader looks at."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch

from mosaicmr.cohort.labels import TumourClass
from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.errors import InputError
from mosaicmr.figures.style import GREEN, class_colours, house_style, new_figure

BRAIN_COLOUR = "#D9D9D9"
OUTLINE_COLOUR = GREEN
PANEL = 0.95  # inches
PAIRS = 6


def spread(total: int, count: int) -> list[int]:
    """At most `count` of the numbers 0 to total - 1, evenly spread and always the same: nobody picked the best."""
    return sorted({round(position) for position in np.linspace(0, total - 1, min(count, total))}) if total else []


def choose_pairs(
    real: Sequence[SliceSet], synthetic: Sequence[SliceSet], count: int = PAIRS
) -> tuple[SliceSet, SliceSet]:
    """Choose at most `count` synthetic slices, evenly spread over a run, and the patient's slice behind each layout.

    real: images, labels and brain of the shards. synthetic: the layouts of the batches with the images drawn for them.
    Returns the patients' slices and the synthetic slices, in the same order. Only the chosen slices are read whole.
    """
    places = [(batch, row) for batch, one in enumerate(synthetic) for row in range(len(one))]
    chosen = [places[index] for index in spread(len(places), count)]
    drawn = SliceSet.join(synthetic[batch].keep(np.array([row])) for batch, row in chosen)
    return SliceSet.join(_find_slice(real, name) for name in drawn.table["source_slice"]), drawn


def _find_slice(sets: Sequence[SliceSet], name: str) -> SliceSet:
    for one in sets:
        found = np.flatnonzero(one.table["slice"] == name)
        if found.size:
            return one.keep(found)
    raise InputError(
        f"No table of slices has '{name}', which a layout began as: run extract_slices and draw_layouts again."
    )


def draw_grid(real: SliceSet, synthetic: SliceSet, variant: str, source: str) -> Figure:
    """Draw a row for each pair: a patient's slice on the left, the synthetic slice made from its labels on the right.

    Columns are the modalities and the label map. The tumour's outline is drawn on the first modality alone, so that it
    hides no texture in the others. source: the configuration's `cohort.source`, which decides whether the title
    of the left half says simulated or real.
    """
    # A phantom's patients are not real, so a figure of them must not call them so.
    origin = "Simulated" if source == "phantom" else "Real"
    with house_style():
        columns = len(real.header.modalities) + 1
        figure = new_figure(2 * columns * PANEL + 0.4, len(real) * PANEL + 1.0)
        halves = figure.subfigures(1, 2, wspace=0.03)
        _draw_half(halves[0], real, f"{origin}\ntraining patients")
        _draw_half(halves[1], synthetic, f"Synthetic\n{variant.replace('_', ' ')}")
        # Without padding the panels of a row touch, and a narrow figure takes the legend on two lines.
        figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
        figure.legend(handles=_legend(real, synthetic), loc="outside lower center", ncols=3 if columns < 4 else 6)
    return figure


def _draw_half(half: SubFigure, slices: SliceSet, title: str) -> None:
    half.suptitle(title, fontsize=9)
    modalities = slices.header.modalities
    panels = half.subplots(len(slices), len(modalities) + 1, squeeze=False, gridspec_kw={"wspace": 0, "hspace": 0})
    for axes, name in zip(panels[0], (*modalities, "labels"), strict=True):
        axes.set_title(name, loc="center")
    for row, images, labels, brain in zip(panels, slices.images, slices.labels, slices.brain, strict=True):
        for axes, image in zip(row, images, strict=False):
            axes.imshow(image.astype(np.float32), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        if labels.any():
            row[0].contour(labels > 0, levels=[0.5], colors=[OUTLINE_COLOUR], linewidths=0.8)
        row[-1].imshow(colour_labels(labels, brain, slices.header.classes), interpolation="nearest")
    for axes in panels.flat:
        _strip(axes)
    panels[0, 0].text(0.02, 0.5, "R", color="white", fontsize=7, va="center", transform=panels[0, 0].transAxes)


def _strip(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def colour_labels(labels: np.ndarray, brain: np.ndarray, classes: Sequence[TumourClass]) -> np.ndarray:
    """The label map [H, W] in colours on a grey brain [H, W] and white background, float [H, W, 3]."""
    picture = np.ones((*labels.shape, 3))
    picture[brain > 0] = to_rgb(BRAIN_COLOUR)
    colours = class_colours([tumour_class.name for tumour_class in classes])
    for tumour_class in classes:
        picture[labels == tumour_class.value] = to_rgb(colours[tumour_class.name])
    return picture


def _legend(*sets: SliceSet) -> list[Patch]:
    classes = sets[0].header.classes
    colours = class_colours([tumour_class.name for tumour_class in classes])
    shown = {int(value) for one in sets for value in np.unique(one.labels)}
    outlined = classes[0].words if len(classes) == 1 else "tumour"
    tumour = [
        Patch(color=colours[tumour_class.name], label=tumour_class.words)
        for tumour_class in classes
        if tumour_class.value in shown
    ]
    return [
        *tumour,
        Patch(color=BRAIN_COLOUR, label="healthy brain"),
        Patch(fill=False, edgecolor=OUTLINE_COLOUR, label=f"{outlined} outline"),
    ]

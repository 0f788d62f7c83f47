"""Slices of training patients beside synthetic ones: the first figure that a reader looks at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch

from mosaicmr.cohort.labels import TUMOUR_CLASSES
from mosaicmr.figures.style import CLASS_COLOURS, GREEN, house_style, new_figure
from mosaicmr.io import load_arrays, load_table

BRAIN_COLOUR = "#D9D9D9"
OUTLINE_COLOUR = GREEN
PANEL = 0.95  # inches
PAIRS = 6
# A phantom's patients are no real ones, so a figure of them must not say so.
ORIGINS = {"phantom": "Simulated", "brats": "Real"}


@dataclass(frozen=True)
class Example:
    """One slice to show: images [M, H, W] in [0, 1], canonical labels [H, W], brain [H, W]; row 0 is anterior."""

    images: np.ndarray
    labels: np.ndarray
    brain: np.ndarray


def spread(total: int, count: int) -> list[int]:
    """At most `count` of the numbers 0 to total - 1, evenly spread, always the same ones: nobody picked the best."""
    return sorted({round(position) for position in np.linspace(0, total - 1, min(count, total))}) if total else []


def choose_pairs(
    real: Sequence[tuple[str, str]], synthetic: Sequence[tuple[str, str, str]], count: int = PAIRS
) -> tuple[list[Example], list[Example]]:
    """At most `count` synthetic slices, evenly spread over a run, and the patient's slice behind each one's layout.

    real: for each shard its arrays and its table. synthetic: for each batch its slices, layouts and table. Returns the
    patients' slices and the synthetic ones, in the same order. Only the files of the chosen slices are read whole.
    """
    tables = [load_table(table) for *_, table in synthetic]
    places = [(batch, row) for batch, table in enumerate(tables) for row in range(len(table))]
    chosen = [places[index] for index in spread(len(places), count)]
    sources = [tables[batch]["source_slice"].iloc[row] for batch, row in chosen]
    drawn = []
    for batch, row in chosen:
        slices, layouts, _ = synthetic[batch]
        stored = load_arrays(slices, ["images"]) | load_arrays(layouts, ["labels", "brain"])
        drawn.append(_example(stored, row))
    return _find_real(real, sources), drawn


def _find_real(real: Sequence[tuple[str, str]], wanted: Sequence[str]) -> list[Example]:
    found = {}
    for arrays, table in real:
        names = load_table(table)["slice"].tolist()
        if present := set(wanted) & set(names):
            stored = load_arrays(arrays, ["images", "labels", "brain"])
            found |= {name: _example(stored, names.index(name)) for name in present}
    return [found[name] for name in wanted]


def _example(stored: Mapping[str, np.ndarray], row: int) -> Example:
    return Example(stored["images"][row], stored["labels"][row], stored["brain"][row])


def draw_grid(
    real: Sequence[Example], synthetic: Sequence[Example], modalities: Sequence[str], variant: str, source: str
) -> Figure:
    """Draw a row for each pair: a patient's slice on the left, the synthetic slice made from its labels on the right.

    Columns are the modalities and the label map. The tumour's outline is drawn on the first modality alone, so that it
    hides no texture in the others. source: the configuration's `cohort.source`, `phantom` or `brats`, which decides
    whether the title of the left half says simulated or real.
    """
    with house_style():
        columns = len(modalities) + 1
        figure = new_figure(2 * columns * PANEL + 0.4, len(real) * PANEL + 1.0)
        halves = figure.subfigures(1, 2, wspace=0.03)
        _draw_half(halves[0], real, modalities, f"{ORIGINS[source]}\ntraining patients")
        _draw_half(halves[1], synthetic, modalities, f"Synthetic\n{variant.replace('_', ' ')}")
        # Without padding the panels of a row touch, and a narrow figure takes the legend on two lines.
        figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
        figure.legend(handles=_legend([*real, *synthetic]), loc="outside lower center", ncols=3 if columns < 4 else 6)
    return figure


def _draw_half(half: SubFigure, examples: Sequence[Example], modalities: Sequence[str], title: str) -> None:
    half.suptitle(title, fontsize=9)
    panels = half.subplots(len(examples), len(modalities) + 1, squeeze=False, gridspec_kw={"wspace": 0, "hspace": 0})
    for axes, name in zip(panels[0], (*modalities, "labels"), strict=True):
        axes.set_title(name, loc="center")
    for row, example in zip(panels, examples, strict=True):
        for axes, image in zip(row, example.images, strict=False):
            axes.imshow(image.astype(np.float32), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        if example.labels.any():
            row[0].contour(example.labels > 0, levels=[0.5], colors=[OUTLINE_COLOUR], linewidths=0.8)
        row[-1].imshow(colour_labels(example), interpolation="nearest")
    for axes in panels.flat:
        _strip(axes)
    panels[0, 0].text(0.02, 0.5, "R", color="white", fontsize=7, va="center", transform=panels[0, 0].transAxes)


def _strip(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def colour_labels(example: Example) -> np.ndarray:
    """The label map in colours on a grey brain and white background, float [H, W, 3]."""
    picture = np.ones((*example.labels.shape, 3))
    picture[example.brain > 0] = to_rgb(BRAIN_COLOUR)
    for tumour_class in TUMOUR_CLASSES:
        picture[example.labels == tumour_class.value] = to_rgb(CLASS_COLOURS[tumour_class.name])
    return picture


def _legend(examples: Sequence[Example]) -> list[Patch]:
    shown = {int(value) for example in examples for value in np.unique(example.labels)}
    tumour = [
        Patch(color=CLASS_COLOURS[tumour_class.name], label=tumour_class.words)
        for tumour_class in TUMOUR_CLASSES
        if tumour_class.value in shown
    ]
    return [
        *tumour,
        Patch(color=BRAIN_COLOUR, label="healthy brain"),
        Patch(fill=False, edgecolor=OUTLINE_COLOUR, label="tumour outline"),
    ]

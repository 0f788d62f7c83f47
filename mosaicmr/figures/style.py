"""The style of every figure, and the way to write it: PDF for a paper, PNG for the report and the README."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import seaborn
from matplotlib.figure import Figure

from mosaicmr.io import write_atomically
from mosaicmr.partition.domains import HEALTHY_NAME, WHOLE

# Type 42 embeds fonts as TrueType, which journals require and vector editors can edit.
RC = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.titlelocation": "left",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "pdf.fonttype": 42,
    "svg.hashsalt": "mosaicmr",
}

# Okabe and Ito's palette, which colour-blind readers can tell apart.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = seaborn.color_palette(
    ["#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"]
).as_hex()
GREY = "#7F7F7F"

CLASS_COLOURS = {"necrosis": VERMILION, "oedema": ORANGE, "enhancing": SKY, "cavity": PURPLE}
CLASS_PALETTE = (ORANGE, SKY, VERMILION, PURPLE, BLUE, GREEN, YELLOW)
ARM_COLOURS = {"real": GREY, "real+classical": BLUE, "real+synthetic": ORANGE, "synthetic": GREEN}

MARGIN = 4  # pixels left around a brain


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """Use the project's matplotlib settings for the code inside, and restore the others afterwards."""
    with matplotlib.rc_context(RC):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` inches that lays itself out and belongs to no global list of figures."""
    return Figure(figsize=(width, height), layout="constrained")


def class_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for the name of each tumour class: those of gliomas have their own, others take what is left."""
    free = (colour for colour in CLASS_PALETTE if colour not in [CLASS_COLOURS.get(name) for name in names])
    return {name: CLASS_COLOURS.get(name) or next(free, BLACK) for name in names}


def domain_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each domain (or expert) name: a tumour class has its own, healthy domains run from dark to light.

    `whole`, the expert without a domain, is black.
    """
    healthy = [name for name in names if HEALTHY_NAME.fullmatch(name)]
    shades = seaborn.color_palette("viridis", max(len(healthy), 1)).as_hex()
    colours = dict(zip(healthy, shades, strict=False)) | {WHOLE: BLACK}
    return colours | class_colours([name for name in names if name not in colours])


def subset_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each subset of slices: real slices and the floor are grey, each variant has its own."""
    variants = [name for name in names if name not in ("real", "floor")]
    palette = [ORANGE, BLUE, GREEN, PURPLE, SKY, VERMILION, YELLOW, BLACK]
    colours = {name: palette[index % len(palette)] for index, name in enumerate(variants)}
    return {name: colours.get(name, GREY) for name in names}


def window_around(mask: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns around `mask`, bool [H, W], with a margin; everything where it is empty."""
    if not mask.any():
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    spans = []
    for axis in (1, 0):
        found = np.flatnonzero(mask.any(axis=axis))
        spans.append(slice(max(found[0] - MARGIN, 0), min(found[-1] + 1 + MARGIN, mask.shape[1 - axis])))
    return spans[0], spans[1]


def save_figure(figure: Figure, pdf: str | Path | None, png: str | Path) -> None:
    """Write `figure` as PDF (where `pdf` is not None) and PNG, without date or version: same figure, same bytes."""
    with house_style():
        if pdf is not None:
            no_date = {"CreationDate": None, "Creator": None, "Producer": None}
            write_atomically(pdf, lambda path: figure.savefig(path, format="pdf", metadata=no_date))
        write_atomically(png, lambda path: figure.savefig(path, format="png", metadata={"Software": None}))

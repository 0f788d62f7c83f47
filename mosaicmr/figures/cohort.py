"""Every subject of a shard at a glance: its image with the outlines of its mask and of its brain."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mosaicmr.cohort.picture_files import Picture
from mosaicmr.figures.style import BLUE, ORANGE, VERMILION, house_style, new_figure

PANEL = 1.5  # inches
COLUMNS = 6
NARROWEST = 4.2  # inches, of the legend
VERDICT_COLOURS = {"accepted": "black", "doubtful": ORANGE, "refused": VERMILION}


def draw_cohort(subjects: Sequence[tuple[str, str, Picture | None]], words: str) -> Figure:
    """Draw a panel for each subject.

    subjects: name to show, verdict (accepted, doubtful or refused) and picture; None where no file could be read.
    words: of the outlined classes. The colour of a name is that of its verdict.
    """
    columns = min(COLUMNS, max(len(subjects), 1))
    rows = -(-max(len(subjects), 1) // columns)
    with house_style():
        figure = new_figure(max(columns * PANEL, NARROWEST), rows * (PANEL + 0.2) + 0.35)
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in panels:
            axes.set_axis_off()
        for axes, subject in zip(panels, subjects, strict=False):
            _draw_subject(axes, *subject)
        handles = [
            Line2D([], [], color=VERMILION, label=f"{words} in the mask"),
            Line2D([], [], color=BLUE, label="brain as it was found"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2)
        figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    return figure


def _draw_subject(axes: Axes, name: str, verdict: str, picture: Picture | None) -> None:
    title = name if verdict == "accepted" else f"{name}, {verdict}"
    axes.set_title(title, loc="center", fontsize=7, color=VERDICT_COLOURS[verdict], pad=2)
    if picture is None:
        axes.set_aspect("equal")
        axes.text(0.5, 0.5, "cannot be read", ha="center", va="center", fontsize=7, transform=axes.transAxes)
        return
    axes.imshow(picture.image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    for mask, colour in ((picture.brain, BLUE), (picture.labels > 0, VERMILION)):
        if mask.any() and not mask.all():
            axes.contour(mask, levels=[0.5], colors=[colour], linewidths=0.7)
    axes.text(0.02, 0.5, "R", color="white", fontsize=6, va="center", transform=axes.transAxes)

"""The table of all metrics: each variant, the floor between real patients, and published figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mosaicmr.figures.style import house_style, new_figure

PUBLISHED_COLUMN = "published, not reproduced"
# Name in the summary: name in the table, and the better direction.
SUBSET_ROWS = {
    "fid": "FID (Inception) ↓",
    "frechet_efficientnet_train": "Fréchet distance to training patients (EfficientNet) ↓",
    "frechet_efficientnet_test": "Fréchet distance to held-out patients (EfficientNet) ↓",
    "kid_test": "KID to held-out patients (EfficientNet) ↓",
    "ssim_brain": "SSIM to the source slice, brain",
    "ssim_slice": "SSIM to the source slice, whole slice",
    "radiomics_auc": "AUC of real against synthetic (radiomics), 0.5 best",
    "frechet_radiomics": "Fréchet radiomics distance ↓",
    "copy_rate": "Share of copies ↓",
    "mask_dice": "Dice of the asked mask ↑",
    "prompt_brightness": "Share of looks as bright as asked ↑",
    "prompt_brightness_chance": "The same by chance",
    "prompt_texture": "Share of looks with the asked texture ↑",
    "prompt_texture_chance": "The same by chance",
    "seam_index": "Seam index, 1 as in real slices",
    "reader_sensitivity": "Readers' sensitivity",
}
# The abstract does not say whether its SSIM counts the background.
PUBLISHED_KEYS = {
    "fid": "fid",
    "ssim_slice": "ssim",
    "dsc_gain_percent": "dsc_gain_percent",
    "reader_sensitivity": "reader_sensitivity",
}
NOT_READ = {"value": None, "low": None, "high": None, "n": 0, "why": "No radiologist has read these slices."}
HEIGHT = 0.34  # inches a row
LABEL = 3.4  # inches of the first column
COLUMN = 1.32  # inches of the others
NOTE = 0.18  # inches a line of the notes below
NOTE_LETTERS = 16  # letters an inch of such a line, at least


@dataclass(frozen=True)
class Block:
    """Rows that share columns: a title, metric names with their words, and the metrics by column and name."""

    title: str
    rows: Mapping[str, str]
    columns: Mapping[str, Mapping[str, dict[str, Any]]]


def subset_block(summary: Mapping[str, Any]) -> Block:
    """Fidelity, radiomics, memorisation and masks: a column for each variant and one for the floor."""
    columns = {**summary["variants"], "floor": summary["floor"]}
    columns = {name: {**metrics, "reader_sensitivity": NOT_READ} for name, metrics in columns.items()}
    return Block("Synthetic slices", SUBSET_ROWS, columns)


def utility_block(summary: Mapping[str, Any], gains: Mapping[str, dict[str, Any]]) -> Block:
    """Usefulness: a column for each arm. gains: the metric `dsc_gain_percent` of each arm but `real`."""
    classes = next(iter(summary["utility"].values()))["dsc"]
    rows = {f"dsc_{name}": f"DSC, {name} ↑" for name in classes}
    rows |= {f"hd95_{name}": f"HD95 (mm), {name} ↓" for name in classes}
    rows["dsc_gain_percent"] = "Gain in mean DSC over real (%) ↑"
    columns = {}
    for arm, scores in summary["utility"].items():
        columns[arm] = {f"{measure}_{name}": scores[measure][name] for measure in ("dsc", "hd95") for name in classes}
        columns[arm]["dsc_gain_percent"] = gains.get(arm, {"value": 0.0, "low": None, "high": None, "n": 0})
    return Block("Segmenter trained on", rows, columns)


def published_value(name: str, summary: Mapping[str, Any]) -> float | None:
    """The published figure for a metric of the table, None where there is none."""
    key = PUBLISHED_KEYS.get(name)
    return None if key is None else summary["published"][key]


def tidy_metrics(blocks: list[Block], summary: Mapping[str, Any]) -> pd.DataFrame:
    """The table as tidy rows: metric, words, column, value, low, high, n, why, and the published figure."""
    rows = []
    for block in blocks:
        for name, words in block.rows.items():
            for column, metrics in block.columns.items():
                metric = {"why": "", **metrics[name]}
                published = {PUBLISHED_COLUMN: published_value(name, summary)}
                rows.append({"metric": name, "words": words, "column": column, **metric, **published})
    order = ["metric", "words", "column", "value", "low", "high", "n", "why", PUBLISHED_COLUMN]
    return pd.DataFrame(rows)[order]


def draw_metrics(blocks: list[Block], summary: Mapping[str, Any]) -> Figure:
    """Draw the table: value, 95 % interval over n patients below it, and notes on missing numbers."""
    counts = [len(block.rows) + 2 for block in blocks]
    width = LABEL + COLUMN * (1 + max(len(block.columns) for block in blocks))
    notes = _number_notes(blocks)
    lines = [line for why, number in notes.items() for line in wrap(f"{number}  {why}", int(width * NOTE_LETTERS))]
    height = HEIGHT * sum(counts) + NOTE * (len(lines) + 1)
    with house_style():
        figure = new_figure(width, height)
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.set_axis_off()
        top = 0.1
        for block, count in zip(blocks, counts, strict=True):
            _draw_block(axes, block, summary, top, notes)
            top += HEIGHT * count
        for index, line in enumerate(lines):
            axes.text(0.1, top + NOTE * index, line, fontsize=7, color="0.3", va="top")
    return figure


def _number_notes(blocks: list[Block]) -> dict[str, int]:
    """Every reason why a number is missing, once, numbered in the order in which a reader meets it."""
    cells = [metrics[name] for block in blocks for name in block.rows for metrics in block.columns.values()]
    whys = dict.fromkeys(cell["why"] for cell in cells if cell.get("why"))
    return {why: number for number, why in enumerate(whys, start=1)}


def _draw_block(axes: Axes, block: Block, summary: Mapping[str, Any], top: float, notes: dict[str, int]) -> None:
    right = axes.get_xlim()[1] - 0.1
    last = right + 0.1 - COLUMN / 2
    baseline = top + 0.7 * HEIGHT
    axes.text(0.1, baseline, block.title, weight="bold", va="center")
    for index, name in enumerate(block.columns):
        words = name.replace("_from_source", "\nfrom source").replace("_", " ")
        axes.text(LABEL + COLUMN * (index + 0.5), baseline, words, weight="bold", ha="center", va="center")
    axes.text(last, baseline, PUBLISHED_COLUMN.replace(", ", ",\n"), style="italic", ha="center", va="center")
    axes.plot([0.1, right], [top + 1.25 * HEIGHT] * 2, color="black", linewidth=0.8)
    for index, (name, words) in enumerate(block.rows.items()):
        middle = top + (index + 1.75) * HEIGHT
        axes.text(0.1, middle, words, va="center")
        for column, metrics in enumerate(block.columns.values()):
            _draw_cell(axes, metrics[name], LABEL + COLUMN * (column + 0.5), middle, notes)
        published = published_value(name, summary)
        if published is not None:
            axes.text(last, middle, f"{published:g}", style="italic", color="0.3", ha="center", va="center")
        axes.plot([0.1, right], [middle + HEIGHT / 2] * 2, color="0.85", linewidth=0.5)


def _draw_cell(axes: Axes, metric: Mapping[str, Any], x: float, y: float, notes: dict[str, int]) -> None:
    mark = f" ({notes[metric['why']]})" if metric.get("why") else ""
    if metric["value"] is None:
        axes.text(x, y, f"–{mark}", color="0.4", ha="center", va="center")
        return
    axes.text(x, y - 0.17 * HEIGHT, format_number(metric["value"]), ha="center", va="center")
    below = f"n {metric['n']}{mark}" if metric["n"] else ""
    if metric["low"] is not None:
        below = f"{format_number(metric['low'])} to {format_number(metric['high'])}, n {metric['n']}"
    axes.text(x, y + 0.24 * HEIGHT, below, fontsize=6.5, color="0.35", ha="center", va="center")


def format_number(value: float) -> str:
    """Three significant digits, and no more than three decimals: 0.123, 1.23, 12.3, 123, 1234, and a plain 0."""
    if abs(value) >= 100 or value == 0:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"

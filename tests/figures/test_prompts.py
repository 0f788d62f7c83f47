"""The figure in which only the prompt changes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from mosaicmr.cohort.labels import ENHANCING, NECROSIS, OEDEMA, LabelScheme, TumourClass
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.figures.prompts import draw_prompts, shown_modality
from mosaicmr.figures.style import BLACK, VERMILION
from mosaicmr.prompts.looks import SHADES

MODALITIES = ["FLAIR", "T1ce"]
HEADER = SliceHeader(tuple(MODALITIES), 1.0, LabelScheme.named("brats2021").classes)


def a_sweep() -> tuple[np.ndarray, np.ndarray, np.ndarray, pd.DataFrame]:
    """Oedema that follows the prompt, and enhancing tumour that is bright whatever is asked."""
    labels = np.zeros((40, 32), np.uint8)
    labels[8:20, 8:20], labels[12:16, 12:16] = 2, 3
    brain = np.ones_like(labels)
    images = np.full((6, 2, 40, 32), 0.4, np.float16)
    rows = []
    for row, (tumour, word) in enumerate((tumour, word) for tumour in ("oedema", "enhancing") for word in SHADES):
        grey = (0.2, 0.5, 0.8)[SHADES.index(word)] if tumour == "oedema" else 0.9
        images[row, :, labels == (2 if tumour == "oedema" else 3)] = grey
        found = {"lower": 0.3, "upper": 0.6, "mean": grey, "measured": word if tumour == "oedema" else "bright"}
        rows += [{"tumour_class": tumour, "brightness": word, "row": row, "modality": m} | found for m in MODALITIES]
    return images, labels, brain, pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("tumour_class", "modalities", "shown"),
    [
        (OEDEMA, ["T1", "FLAIR", "T1ce"], "FLAIR"),
        (ENHANCING, ["T1", "FLAIR", "T1ce"], "T1ce"),
        (NECROSIS, ["T1", "FLAIR", "T1ce"], "T1ce"),
        (ENHANCING, ["T2", "FLAIR"], "T2"),
        (OEDEMA, ["T1", "T2"], "T1"),
        (TumourClass(1, "rim", "rim", like="enhancing"), ["FLAIR", "T1ce"], "T1ce"),
    ],
)
def test_a_class_is_shown_where_it_is_seen_best(tumour_class, modalities, shown):
    assert shown_modality(tumour_class, modalities) == shown


def test_there_is_a_row_a_class_and_a_column_a_word_with_asked_and_measured_below():
    figure = draw_prompts(*a_sweep(), HEADER)
    assert len(figure.axes) == 2 * 3
    assert [axes.get_title("center") for axes in figure.axes[:3]] == [f"asked: {word}" for word in SHADES]
    assert [axes.get_ylabel() for axes in figure.axes[::3]] == ["oedema\nFLAIR", "enhancing tumour\nT1ce"]
    below = [axes.get_xlabel() for axes in figure.axes]
    assert below[0] == "asked at most 0.300\nmeasured 0.200, dark"
    assert below[1] == "asked 0.300 to 0.600\nmeasured 0.500, intermediate"
    assert below[5] == "asked above 0.600\nmeasured 0.900, bright"


def test_panels_show_the_slice_of_their_prompt():
    images, *others = a_sweep()
    images[:, 1] /= 2
    figure = draw_prompts(images, *others, HEADER)
    for row, axes in enumerate(figure.axes):
        shown = images[row, 0 if row < 3 else 1]  # oedema on FLAIR, enhancing tumour on T1ce
        np.testing.assert_array_equal(axes.images[0].get_array(), shown.astype(np.float32))


def test_the_class_that_was_asked_for_is_outlined():
    figure = draw_prompts(*a_sweep(), HEADER)
    outlines = [axes.collections[0].get_paths()[0].vertices for axes in figure.axes]
    ends = [(line.min(), line.max()) for line in outlines]
    assert ends == [(7.5, 19.5)] * 3 + [(11.5, 15.5)] * 3


def test_a_look_that_was_not_asked_for_is_orange():
    colours = [to_hex(axes.xaxis.label.get_color()) for axes in draw_prompts(*a_sweep(), HEADER).axes]
    red, black = VERMILION.lower(), BLACK.lower()
    assert colours == [black] * 3 + [red, red, black]


def test_all_text_is_inside_the_picture():
    figure = draw_prompts(*a_sweep(), HEADER)
    figure.draw_without_rendering()
    width, height = figure.bbox.size
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert box.x0 >= -1 and box.x1 <= width + 1 and box.y0 >= -1 and box.y1 <= height + 1


def test_without_a_look_the_figure_says_why():
    images, labels, brain, table = a_sweep()
    figure = draw_prompts(images[:0], labels, brain, table.iloc[:0], HEADER)
    assert "No prompt of this run says how bright a class is" in figure.texts[0].get_text() and not figure.axes

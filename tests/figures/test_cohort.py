"""The figure of every subject shows each with its verdict, and those that cannot be read too."""

import numpy as np

from mosaicmr.cohort.picture_files import SIZE, Picture
from mosaicmr.figures.cohort import COLUMNS, VERDICT_COLOURS, draw_cohort


def a_picture(grey=100):
    brain = np.zeros((SIZE, SIZE), np.uint8)
    brain[30:130, 40:120] = 1
    labels = np.zeros_like(brain)
    labels[60:80, 60:80] = 1
    return Picture(brain * np.uint8(grey), labels, brain)


def test_every_subject_has_a_panel_with_its_picture_and_its_outlines():
    subjects = [(f"S{number}", "accepted", a_picture(10 * number)) for number in range(1, COLUMNS + 2)]
    figure = draw_cohort(subjects, "lesion")
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title("center") for axes in shown] == [name for name, *_ in subjects]
    for axes, (_, _, picture) in zip(shown, subjects, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), picture.image)
        assert len(axes.collections) == 2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "lesion in the mask",
        "brain as it was found",
    ]


def test_a_verdict_is_written_and_coloured():
    figure = draw_cohort([("S1", "doubtful", a_picture()), ("S2", "refused", None)], "tumour")
    doubtful, refused = figure.axes[:2]
    assert doubtful.get_title("center") == "S1, doubtful" and refused.get_title("center") == "S2, refused"
    assert refused.title.get_color() == VERDICT_COLOURS["refused"]
    assert "cannot be read" in [text.get_text() for text in refused.texts]


def test_a_mask_that_fills_the_picture_is_no_error():
    full = Picture(*(np.ones((SIZE, SIZE), np.uint8) for _ in range(3)))
    assert len(draw_cohort([("S1", "refused", full)], "tumour").axes[0].collections) == 0

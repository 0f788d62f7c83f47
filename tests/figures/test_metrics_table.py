"""The table of metrics, with the floor and the published column."""

import pytest

from mosaicmr.evaluation.summary import SUBSET_METRICS, to_metric
from mosaicmr.figures.metrics_table import (
    COLUMN,
    HEIGHT,
    PUBLISHED_COLUMN,
    SUBSET_ROWS,
    draw_metrics,
    format_number,
    subset_block,
    tidy_metrics,
    utility_block,
)
from mosaicmr.segmentation.scores import dice_gain
from tests.support.invented_results import ARMS, VARIANTS, patient_scores, run_summary


def the_blocks(summary: dict) -> list:
    scores = patient_scores()
    gains = {arm: to_metric(dice_gain(scores["real"], scores[arm], 1, 50)) for arm in ARMS[1:]}
    return [subset_block(summary), utility_block(summary, gains)]


def test_every_metric_of_the_summary_has_a_row():
    assert set(SUBSET_METRICS) < set(SUBSET_ROWS)


def test_the_tidy_table_has_variants_floor_arms_and_the_published_column():
    summary = run_summary()
    table = tidy_metrics(the_blocks(summary), summary)
    assert PUBLISHED_COLUMN == "published, not reproduced"
    assert set(table["column"]) == {*VARIANTS, "floor", *ARMS}
    published = table.groupby("metric")[PUBLISHED_COLUMN].first().dropna().to_dict()
    assert published == {"fid": 13.65, "ssim_slice": 0.9674, "dsc_gain_percent": 14, "reader_sensitivity": 0.255}


def test_what_was_not_computed_has_a_reason_in_the_table():
    summary = run_summary()
    table = tidy_metrics(the_blocks(summary), summary)
    assert (table.loc[table["value"].isna(), "why"].str.len() > 0).all()
    assert table.loc[table["metric"] == "reader_sensitivity", "value"].isna().all()


def texts_at(figure, row: str, column: str) -> list[str]:
    """The texts of the cell below the first heading `column`, in the first row that begins with `row`."""
    places = [(text.get_text(), *text.get_position()) for text in figure.axes[0].texts]
    x = next(at for words, at, _ in places if words == column)
    y = next(above for words, _, above in places if words == row)
    return [words for words, at, above in places if abs(at - x) < COLUMN / 2 and abs(above - y) < HEIGHT / 2]


def test_the_picture_shows_values_intervals_notes_and_the_published_column():
    summary = run_summary()
    figure = draw_metrics(the_blocks(summary), summary)
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words.count("published,\nnot reproduced") == 2
    published, fid, ssim = "published,\nnot reproduced", SUBSET_ROWS["fid"], SUBSET_ROWS["ssim_slice"]
    for column in ("independent", "single\nfrom source", "floor"):
        assert texts_at(figure, fid, column) == ["– (1)"]
        assert texts_at(figure, ssim, column) == ["1.23", "0.900 to 1.50, n 7"]
        assert texts_at(figure, SUBSET_ROWS["mask_dice"], column) == ["0.700", "n 1 (2)"]
        assert texts_at(figure, SUBSET_ROWS["reader_sensitivity"], column) == ["– (3)"]
    assert texts_at(figure, fid, published) == ["13.65"]
    assert texts_at(figure, ssim, published) == ["0.9674"]
    assert any(text.startswith("2  ") for text in words), "why one patient gives no interval"
    assert {"1  No Inception file was given.", "3  No radiologist has read these slices."} <= set(words)


def test_the_picture_shows_each_arms_score_and_its_gain():
    summary = run_summary()
    blocks = the_blocks(summary)
    figure = draw_metrics(blocks, summary)
    for arm in ARMS:
        for name in ("dsc_mean", "hd95_oedema", "dsc_gain_percent"):
            metric = blocks[1].columns[arm][name]
            assert texts_at(figure, blocks[1].rows[name], arm)[0] == format_number(metric["value"])


def test_all_text_is_inside_the_picture():
    summary = run_summary()
    summary["floor"]["fid"]["why"] = "A reason that takes many words to explain. " * 8
    figure = draw_metrics(the_blocks(summary), summary)
    figure.draw_without_rendering()
    width, height = figure.bbox.size
    for text in filter(lambda text: text.get_text(), figure.axes[0].texts):
        box = text.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= width
        assert 0 <= box.y0 < box.y1 <= height


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (1.2345, "1.23"), (12.345, "12.3"), (1234.5, "1234"), (0.0, "0"), (-0.5, "-0.500")],
)
def test_numbers_have_three_significant_digits(value, text):
    assert format_number(value) == text

"""The table of metrics, with the floor and the published column."""

import matplotlib.pyplot as plt
import pytest

from mosaicmr.evaluation.summary import SUBSET_METRICS, to_metric
from mosaicmr.figures.metrics_table import (
    PUBLISHED_COLUMN,
    SUBSET_ROWS,
    draw_metrics,
    format_number,
    subset_block,
    tidy_metrics,
    utility_block,
)
from mosaicmr.figures.style import save_figure
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


def test_the_picture_shows_values_intervals_notes_and_the_published_column(tmp_path):
    summary = run_summary()
    figure = draw_metrics(the_blocks(summary), summary)
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words.count("published,\nnot reproduced") == 2
    assert "13.65" in words
    assert "1.23" in words
    assert "0.900 to 1.50, n 7" in words
    assert any("No Inception file was given." in text for text in words)
    save_figure(figure, tmp_path / "metrics.pdf", tmp_path / "metrics.png")
    assert plt.imread(tmp_path / "metrics.png").std() > 0.05


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

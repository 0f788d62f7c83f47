"""The grid of real and synthetic slices."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from mosaicmr.figures.grid import BRAIN_COLOUR, Example, choose_pairs, colour_labels, draw_grid, spread
from mosaicmr.figures.style import CLASS_COLOURS
from mosaicmr.io import save_arrays, save_table


def slices(value, count, size=24):
    labels = np.zeros((count, size, size), np.uint8)
    labels[:, 8:12, 8:12] = 2
    images = np.full((count, 2, size, size), value, np.float16)
    images += np.arange(count, dtype=np.float16)[:, None, None, None] / 100
    return {"images": images, "labels": labels, "brain": np.ones_like(labels)}


@pytest.fixture
def run(tmp_path):
    """Two shards of three real slices, and two batches of two synthetic ones."""
    real, synthetic = [], []
    for shard in range(2):
        paths = tmp_path / f"{shard}.safetensors", tmp_path / f"{shard}.parquet"
        save_arrays(paths[0], slices(0.1 + shard / 2, 3))
        save_table(paths[1], pd.DataFrame({"slice": [f"SUBJECT{shard}-z{row}" for row in range(3)]}))
        real.append(paths)
    for batch in range(2):
        paths = tmp_path / f"s{batch}.safetensors", tmp_path / f"b{batch}.safetensors", tmp_path / f"b{batch}.parquet"
        stored = slices(0.9, 2)
        save_arrays(paths[0], {"images": stored.pop("images")})
        save_arrays(paths[1], stored)
        save_table(paths[2], pd.DataFrame({"source_slice": [f"SUBJECT{1 - batch}-z2", "SUBJECT0-z1"]}))
        synthetic.append(paths)
    return real, synthetic


@pytest.mark.parametrize(
    ("total", "count", "expected"), [(10, 4, [0, 3, 6, 9]), (2, 6, [0, 1]), (1, 6, [0]), (0, 6, [])]
)
def test_examples_are_spread_over_the_run(total, count, expected):
    assert spread(total, count) == expected


def test_each_synthetic_slice_stands_beside_the_real_one_its_layout_began_as(run):
    real, synthetic = choose_pairs(*run, count=4)
    assert greys(real) == [0.62, 0.11, 0.12, 0.11]
    assert greys(synthetic) == [0.9, 0.91, 0.9, 0.91]


def greys(examples):
    return [round(float(example.images[0, 0, 0]), 2) for example in examples]


def panels(half):
    """The panels of one half of the grid, row by row: FLAIR, T2 and labels."""
    return np.array(half.axes).reshape(-1, 3)


def test_the_grid_has_a_row_a_pair_with_its_images_and_its_labels(run):
    pairs = choose_pairs(*run)
    figure = draw_grid(*pairs, ["FLAIR", "T2"], "single_from_source")
    assert len(figure.subfigs) == 2
    for half, examples in zip(figure.subfigs, pairs, strict=True):
        assert [axes.get_title() for axes in panels(half)[0]] == ["FLAIR", "T2", "labels"]
        for row, example in zip(panels(half), examples, strict=True):
            flair, t2, labels = (axes.images[0].get_array() for axes in row)
            np.testing.assert_array_equal(flair, example.images[0].astype(np.float32))
            np.testing.assert_array_equal(t2, example.images[1].astype(np.float32))
            np.testing.assert_array_equal(labels, colour_labels(example))


def test_the_tumour_is_outlined_on_the_first_modality_alone():
    labels = np.zeros((24, 24), np.uint8)
    healthy = Example(np.zeros((2, 24, 24)), labels.copy(), np.ones_like(labels))
    labels[8:12, 6:16] = 2
    figure = draw_grid([healthy], [Example(healthy.images, labels, healthy.brain)], ["FLAIR", "T2"], "single")
    assert not any(axes.collections for axes in panels(figure.subfigs[0])[0])
    with_tumour = panels(figure.subfigs[1])[0]
    assert [len(axes.collections) for axes in with_tumour] == [1, 0, 0]
    outline = with_tumour[0].collections[0].get_paths()[0].vertices
    assert outline.min(axis=0).tolist() == [5.5, 7.5] and outline.max(axis=0).tolist() == [15.5, 11.5]


def test_the_grid_shows_no_identifier(run):
    figure = draw_grid(*choose_pairs(*run), ["FLAIR", "T2"], "single_from_source")
    words = [text.get_text() for text in figure.findobj(Text)]
    assert "FLAIR" in words
    assert not any("SUBJECT" in word for word in words)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["oedema", "healthy brain", "tumour outline"]


def test_label_maps_are_coloured_by_class():
    labels = np.array([[0, 0], [2, 3]], np.uint8)
    picture = colour_labels(Example(np.zeros((1, 2, 2)), labels, np.array([[0, 1], [1, 1]])))
    colours = ["white", BRAIN_COLOUR, CLASS_COLOURS["oedema"], CLASS_COLOURS["enhancing"]]
    np.testing.assert_allclose(picture.reshape(-1, 3), [to_rgb(colour) for colour in colours])

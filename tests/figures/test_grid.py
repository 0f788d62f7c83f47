"""The grid of patients' slices beside synthetic slices."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.slice_set import SliceHeader, SliceSet
from mosaicmr.figures.grid import BRAIN_COLOUR, choose_pairs, colour_labels, draw_grid, spread
from mosaicmr.figures.style import CLASS_COLOURS
from mosaicmr.io import save_arrays
from tools import demo_picture

HEADER = SliceHeader(("FLAIR", "T2"), 1.0, LabelScheme.named("brats2021").classes)


def slices(value, count, size=24):
    labels = np.zeros((count, size, size), np.uint8)
    labels[:, 8:12, 8:12] = 2
    images = np.full((count, 2, size, size), value, np.float16)
    images += np.arange(count, dtype=np.float16)[:, None, None, None] / 100
    return {"images": images, "labels": labels, "brain": np.ones_like(labels)}


@pytest.fixture
def run():
    """Two shards of three real slices, and two batches of two synthetic slices."""
    real, synthetic = [], []
    for shard in range(2):
        table = pd.DataFrame({"slice": [f"SUBJECT{shard}-z{row}" for row in range(3)]})
        real.append(SliceSet(HEADER, table, slices(0.1 + shard / 2, 3)))
    for batch in range(2):
        table = pd.DataFrame({"source_slice": [f"SUBJECT{1 - batch}-z2", "SUBJECT0-z1"]})
        synthetic.append(SliceSet(HEADER, table, slices(0.9, 2)))
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


def greys(shown: SliceSet) -> list[float]:
    return [round(float(images[0, 0, 0]), 2) for images in shown.images]


def panels(half):
    """The panels of one half of the grid, row by row: FLAIR, T2 and labels."""
    return np.array(half.axes).reshape(-1, 3)


def test_the_grid_has_a_row_a_pair_with_its_images_and_its_labels(run):
    pairs = choose_pairs(*run)
    figure = draw_grid(*pairs, "single_from_source", "brats")
    assert len(figure.subfigs) == 2
    for half, shown in zip(figure.subfigs, pairs, strict=True):
        assert [axes.get_title() for axes in panels(half)[0]] == ["FLAIR", "T2", "labels"]
        for index, row in enumerate(panels(half)):
            flair, t2, labels = (axes.images[0].get_array() for axes in row)
            np.testing.assert_array_equal(flair, shown.images[index, 0].astype(np.float32))
            np.testing.assert_array_equal(t2, shown.images[index, 1].astype(np.float32))
            np.testing.assert_array_equal(
                labels, colour_labels(shown.labels[index], shown.brain[index], HEADER.classes)
            )


def test_the_tumour_is_outlined_on_the_first_modality_alone():
    labels = np.zeros((1, 24, 24), np.uint8)
    arrays = {"images": np.zeros((1, 2, 24, 24), np.float16), "labels": labels, "brain": np.ones_like(labels)}
    healthy = SliceSet(HEADER, pd.DataFrame({"slice": ["a"]}), arrays)
    with_tumour = labels.copy()
    with_tumour[:, 8:12, 6:16] = 2
    figure = draw_grid(healthy, replace(healthy, arrays=arrays | {"labels": with_tumour}), "single", "brats")
    assert not any(axes.collections for axes in panels(figure.subfigs[0])[0])
    outlined = panels(figure.subfigs[1])[0]
    assert [len(axes.collections) for axes in outlined] == [1, 0, 0]
    outline = outlined[0].collections[0].get_paths()[0].vertices
    assert outline.min(axis=0).tolist() == [5.5, 7.5] and outline.max(axis=0).tolist() == [15.5, 11.5]


def test_the_grid_shows_no_identifier(run):
    figure = draw_grid(*choose_pairs(*run, count=1), "single_from_source", "brats")
    words = [text.get_text() for text in figure.findobj(Text)]
    assert "FLAIR" in words
    assert not any("SUBJECT" in word for word in words)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["oedema", "healthy brain", "tumour outline"]


@pytest.mark.parametrize(("source", "expected"), [("phantom", "Simulated"), ("brats", "Real"), ("table", "Real")])
def test_simulated_patients_are_not_called_real(run, source, expected):
    figure = draw_grid(*choose_pairs(*run), "single", source)
    titles = [half._suptitle.get_text() for half in figure.subfigs]
    assert titles == [f"{expected}\ntraining patients", "Synthetic\nsingle"]


def test_the_picture_of_the_readme_has_three_rows_of_the_exported_variant(tmp_path, monkeypatch):
    for shard in range(2):
        names = [f"SUBJECT{shard}-z{row}" for row in range(3)]
        real = SliceSet(HEADER, pd.DataFrame({"slice": names}), slices(0.1, 3))
        real.save(tmp_path / "slices" / f"{shard}.safetensors")
        stored = slices(0.9, 3)
        images = {"images": stored.pop("images")}
        drawn = tmp_path / "synthetic" / "independent" / "slices" / f"b{shard}.safetensors"
        save_arrays(drawn, images, HEADER.metadata)
        layouts = SliceSet(HEADER, pd.DataFrame({"source_slice": names}), stored)
        layouts.save(tmp_path / "layouts" / f"b{shard}.safetensors")
    drawn = []
    monkeypatch.setattr(demo_picture, "draw_grid", lambda *args: drawn.append(args) or draw_grid(*args))
    monkeypatch.setattr("sys.argv", ["demo_picture.py", str(tmp_path), str(tmp_path / "picture.png")])

    demo_picture.main()

    ((real, synthetic, variant, source),) = drawn
    assert (len(real), len(synthetic)) == (3, 3)
    assert (variant, source) == ("independent", "phantom")
    assert (tmp_path / "picture.png").is_file()


def test_label_maps_are_coloured_by_class():
    labels = np.array([[0, 0], [2, 3]], np.uint8)
    picture = colour_labels(labels, np.array([[0, 1], [1, 1]]), HEADER.classes)
    colours = ["white", BRAIN_COLOUR, CLASS_COLOURS["oedema"], CLASS_COLOURS["enhancing"]]
    np.testing.assert_allclose(picture.reshape(-1, 3), [to_rgb(colour) for colour in colours])

"""The grid of patients' slices beside synthetic slices."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from mosaicmr.cohort.slice_set import SliceHeader, SliceSet
from mosaicmr.figures.grid import choose_pairs, colour_labels, draw_grid, spread
from mosaicmr.figures.style import save_figure
from mosaicmr.io import save_arrays
from tools import demo_picture

HEADER = SliceHeader(("FLAIR", "T2"), 1.0, "brats2021")


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
    greys = [round(float(images[0, 0, 0]), 2) for images in real.images]
    assert greys == [0.62, 0.11, 0.12, 0.11]
    assert (synthetic.images.max((1, 2, 3)) > 0.85).all()


def test_the_grid_has_a_row_a_pair_and_shows_no_identifier(run, tmp_path):
    real, synthetic = choose_pairs(*run)
    figure = draw_grid(real, synthetic, "single_from_source", "brats")
    assert len(figure.subfigs) == 2
    assert all(len(half.axes) == 4 * 3 for half in figure.subfigs)

    save_figure(figure, tmp_path / "grid.pdf", tmp_path / "grid.png")

    assert imread(tmp_path / "grid.png").std() > 0.1
    assert (tmp_path / "grid.pdf").read_bytes().startswith(b"%PDF")
    words = [text.get_text() for text in figure.findobj(Text)]
    assert "FLAIR" in words
    assert not any("SUBJECT" in word for word in words)


@pytest.mark.parametrize(("source", "expected"), [("phantom", "Simulated"), ("brats", "Real")])
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
    assert imread(tmp_path / "picture.png").std() > 0.1


def test_label_maps_are_coloured_by_class():
    labels = np.array([[0, 0], [2, 3]], np.uint8)
    picture = colour_labels(labels, np.array([[0, 1], [1, 1]]))
    assert picture[0, 0].tolist() == [1, 1, 1]
    assert len({tuple(pixel) for pixel in picture.reshape(-1, 3)}) == 4

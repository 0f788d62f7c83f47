"""One look, and files that can be compared byte by byte."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

from mosaicmr.figures.style import RC, SKY, domain_colours, house_style, new_figure, save_figure, subset_colours


def a_figure():
    with house_style():
        figure = new_figure(2, 2)
        figure.subplots().plot([0, 1, 4], color=SKY)
        figure.axes[0].set_title("Fréchet")
    return figure


def test_pdf_and_png_have_the_size_of_the_figure_and_show_its_line(tmp_path):
    save_figure(a_figure(), tmp_path / "a.pdf", tmp_path / "a.png")
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/MediaBox [ 0 0 144 144 ]" in pdf  # 72 points an inch
    picture = plt.imread(tmp_path / "a.png")[..., :3]
    assert picture.shape == (2 * RC["savefig.dpi"], 2 * RC["savefig.dpi"], 3)
    rows, columns = np.nonzero(np.abs(picture - to_rgb(SKY)).max(axis=-1) < 0.01)
    assert np.corrcoef(rows, columns)[0, 1] < -0.9, "the line rises from left to right"
    assert np.ptp(rows) > 200 and np.ptp(columns) > 200


def test_without_a_path_for_the_pdf_only_the_png_is_written(tmp_path):
    save_figure(a_figure(), None, tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_the_same_figure_is_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_figure(a_figure(), tmp_path / f"{name}.pdf", tmp_path / f"{name}.png")
    for kind in ("pdf", "png"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_files_carry_no_date(tmp_path):
    save_figure(a_figure(), tmp_path / "a.pdf", tmp_path / "a.png")
    assert b"CreationDate" not in (tmp_path / "a.pdf").read_bytes()
    assert b"Software" not in (tmp_path / "a.png").read_bytes()


def test_settings_and_figures_of_others_are_left_alone(tmp_path):
    before = dict(matplotlib.rcParams)
    save_figure(a_figure(), None, tmp_path / "a.png")
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == []


def test_every_domain_and_subset_has_a_colour_of_its_own():
    domains = domain_colours(["necrosis", "oedema", "enhancing", "healthy1", "healthy2", "whole"])
    subsets = subset_colours(["real", "independent", "single", "independent_from_source"])
    assert len(np.unique(list(domains.values()))) == 6
    assert len(np.unique(list(subsets.values()))) == 4

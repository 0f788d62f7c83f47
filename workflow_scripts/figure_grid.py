"""Show slices of training patients beside synthetic slices of a variant."""

from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.figures.grid import choose_pairs, draw_grid
from mosaicmr.figures.style import save_figure
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files = snakemake.input
    pairs = choose_pairs(SliceSet.open_all(files.slices), SliceSet.open_all(files.layouts, files.synthetic))
    figure = draw_grid(*pairs, snakemake.wildcards.variant, snakemake.params.source)
    save_figure(figure, snakemake.output.pdf, snakemake.output.png)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

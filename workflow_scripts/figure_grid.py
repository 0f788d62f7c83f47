"""Show slices of training patients beside the synthetic ones of a variant."""

from mosaicmr.figures.grid import choose_pairs, draw_grid
from mosaicmr.figures.style import save_figure
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    real, synthetic = choose_pairs(
        list(zip(files.slices, files.slice_tables, strict=True)),
        list(zip(files.synthetic, files.layouts, files.layout_tables, strict=True)),
    )
    figure = draw_grid(real, synthetic, params.modalities, snakemake.wildcards.variant, params.source)
    save_figure(figure, snakemake.output.pdf, snakemake.output.png)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

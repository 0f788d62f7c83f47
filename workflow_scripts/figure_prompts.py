"""Show one layout under prompts that differ in one tumour class's brightness."""

from mosaicmr.figures.prompts import draw_prompts
from mosaicmr.figures.style import save_figure
from mosaicmr.io import load_arrays, load_table
from mosaicmr.stage import stage


def main(snakemake) -> None:
    drawn, table = load_arrays(snakemake.input.slices), load_table(snakemake.input.table)
    maps = (drawn["images"], drawn["labels"], drawn["brain"])
    save_figure(draw_prompts(*maps, table, snakemake.params.modalities), snakemake.output.pdf, snakemake.output.png)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Show one layout under prompts that differ in one tumour class's brightness."""

from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.figures.prompts import draw_prompts
from mosaicmr.figures.style import save_figure
from mosaicmr.io import load_arrays, load_table
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files, output = snakemake.input, snakemake.output
    drawn, header = load_arrays(files.slices), SliceHeader.read(files.slices)
    maps = (drawn["images"], drawn["labels"], drawn["brain"])
    save_figure(draw_prompts(*maps, load_table(files.table), header), output.pdf, output.png)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

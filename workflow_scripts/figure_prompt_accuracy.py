"""Draw how often each variant's tumours look as their prompts asked."""

from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.figures.prompt_accuracy import draw_prompt_accuracy
from mosaicmr.figures.style import save_figure
from mosaicmr.io import load_table
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files, output = snakemake.input, snakemake.output
    metrics = dict(zip(snakemake.params.variants, map(load_table, files.metrics), strict=True))
    header = SliceHeader.read(files.layouts[0])
    save_figure(draw_prompt_accuracy(metrics, header.classes, header.modalities), output.pdf, output.png)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Draw how often each variant's tumours look as their prompts asked."""

from mosaicmr.cohort.labels import scheme_classes
from mosaicmr.figures.prompt_accuracy import draw_prompt_accuracy
from mosaicmr.figures.style import save_figure
from mosaicmr.io import load_table
from mosaicmr.stage import stage


def main(snakemake) -> None:
    params, output = snakemake.params, snakemake.output
    metrics = dict(zip(params.variants, map(load_table, snakemake.input.metrics), strict=True))
    figure = draw_prompt_accuracy(metrics, scheme_classes(params.label_scheme), params.modalities)
    save_figure(figure, output.pdf, output.png)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Draw the training curve of every expert."""

import pandas as pd

from mosaicmr.figures.learning_curves import draw_training
from mosaicmr.figures.style import save_figure
from mosaicmr.io import load_table
from mosaicmr.stage import stage


def main(snakemake) -> None:
    tables = zip(snakemake.params.experts, snakemake.input.curves, strict=True)
    curves = pd.concat([load_table(path).assign(expert=expert) for expert, path in tables], ignore_index=True)
    save_figure(draw_training(curves), snakemake.output.pdf, snakemake.output.png)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

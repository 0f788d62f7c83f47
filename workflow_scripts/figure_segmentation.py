"""Draw the scores of each arm's segmenter on held-out patients."""

import pandas as pd

from mosaicmr.figures.segmentation import draw_segmentation
from mosaicmr.figures.style import save_figure
from mosaicmr.io import load_table
from mosaicmr.segmentation.scores import patient_means
from mosaicmr.stage import stage


def main(snakemake) -> None:
    arms, files = snakemake.params.arms, snakemake.input
    metrics = [load_table(path).assign(arm=arm) for arm, path in zip(arms, files.metrics, strict=True)]
    patients = [patient_means(load_table(path)).assign(arm=arm) for arm, path in zip(arms, files.patients, strict=True)]
    figure = draw_segmentation(pd.concat(metrics, ignore_index=True), pd.concat(patients, ignore_index=True))
    save_figure(figure, snakemake.output.pdf, snakemake.output.png)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

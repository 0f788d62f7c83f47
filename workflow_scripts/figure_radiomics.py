"""Draw distributions of radiomic features, real beside each variant."""

import pandas as pd

from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.figures.radiomics import draw_radiomics
from mosaicmr.figures.style import save_figure
from mosaicmr.io import load_table
from mosaicmr.stage import stage


def main(snakemake) -> None:
    header = SliceHeader.read(snakemake.input.domain_maps[0])
    tables = zip(snakemake.params.subsets, snakemake.input.features, strict=True)
    features = pd.concat([load_table(path).assign(subset=subset) for subset, path in tables], ignore_index=True)
    figure = draw_radiomics(features, header.modalities[0], header.domains)
    save_figure(figure, snakemake.output.pdf, snakemake.output.png)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

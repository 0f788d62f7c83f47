"""Draw distributions of radiomic features, real beside each variant."""

import pandas as pd

from mosaicmr.figures.radiomics import draw_radiomics
from mosaicmr.figures.style import save_figure
from mosaicmr.io import load_table
from mosaicmr.stage import stage


def main(snakemake) -> None:
    params = snakemake.params
    tables = zip(params.subsets, snakemake.input.features, strict=True)
    features = pd.concat([load_table(path).assign(subset=subset) for subset, path in tables], ignore_index=True)
    save_figure(draw_radiomics(features, params.modality, params.domains), snakemake.output.pdf, snakemake.output.png)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

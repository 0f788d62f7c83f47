"""Divide the healthy brain of every slice into Voronoi cells of position and grey level."""

import pandas as pd

from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.io import save_arrays, save_table
from mosaicmr.partition.tessellation import TessellationSettings, measure_cells, relative_grey, tessellate_slices
from mosaicmr.stage import stage


def main(snakemake) -> None:
    params = snakemake.params
    slices = SliceSet.open(snakemake.input.slices)
    header, table = slices.header, slices.table
    grey = slices.images[:, header.modalities.index(params.reference)]
    settings = TessellationSettings(**params.settings)
    cells = tessellate_slices(
        grey, slices.brain, slices.labels, header.pixel_size, settings, params.seed, list(table["slice"])
    )
    measured = pd.concat(
        [
            measure_cells(cells[i], grey[i], header.pixel_size).assign(slice=name, subject=subject)
            for i, (name, subject) in enumerate(zip(table["slice"], table["subject"], strict=True))
        ],
        ignore_index=True,
    )
    measured["relative_grey"] = relative_grey(measured)
    save_arrays(snakemake.output.cells, {"cells": cells}, header.metadata)
    save_table(snakemake.output.table, measured[["slice", "subject", "cell", "grey", "relative_grey", "area_mm2"]])


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

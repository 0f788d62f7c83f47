"""Give every pixel of the brain its domain."""

from dataclasses import replace

import numpy as np

from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.io import load_arrays, load_table, save_arrays
from mosaicmr.partition.domains import load_domains, partition_slice
from mosaicmr.stage import stage


def main(snakemake) -> None:
    slices = SliceSet.open(snakemake.input.slices)
    cells = load_arrays(snakemake.input.cells, ["cells"])["cells"]
    cell_table = load_table(snakemake.input.cell_table)
    domains, _ = load_domains(snakemake.input.domains)
    of_slice = dict(list(cell_table.groupby("slice")))
    nothing = cell_table.iloc[:0]  # a slice without healthy brain has no cells
    maps = [
        partition_slice(slices.labels[i], cells[i], of_slice.get(name, nothing), domains)
        for i, name in enumerate(slices.table["slice"])
    ]
    header = replace(slices.header, domains=tuple(domain.name for domain in domains))
    arrays = {"domains": np.stack(maps) if maps else np.zeros_like(slices.labels)}
    save_arrays(snakemake.output[0], arrays, header.metadata)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

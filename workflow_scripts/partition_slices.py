"""Give every pixel of the brain its domain."""

import numpy as np

from mosaicmr.io import load_arrays, load_table, save_arrays
from mosaicmr.partition.domains import load_domains, partition_slice
from mosaicmr.stage import stage


def main(snakemake) -> None:
    labels = load_arrays(snakemake.input.slices, ["labels"])["labels"]
    cells = load_arrays(snakemake.input.cells, ["cells"])["cells"]
    names = load_table(snakemake.input.table)["slice"]
    cell_table = load_table(snakemake.input.cell_table)
    domains, _ = load_domains(snakemake.input.domains)
    of_slice = dict(list(cell_table.groupby("slice")))
    nothing = cell_table.iloc[:0]  # a slice without healthy brain has no cells
    partitions = [
        partition_slice(labels[i], cells[i], of_slice.get(name, nothing), domains) for i, name in enumerate(names)
    ]
    save_arrays(snakemake.output[0], {"domains": np.stack(partitions) if partitions else np.zeros_like(labels)})


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

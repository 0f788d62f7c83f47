"""Show the cells, the domains and the fitted grey levels, for the eye to check."""

import pandas as pd

from mosaicmr.figures.partition import Panel, choose_panels, draw_partition
from mosaicmr.figures.style import save_figure
from mosaicmr.io import load_arrays, load_table, load_tables
from mosaicmr.partition.domains import load_domains, training_cells
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files = snakemake.input
    domains, reference = load_domains(files.domains)
    channel = snakemake.params.modalities.index(reference)
    subjects = load_table(files.subjects)
    slices = pd.concat(
        [load_table(path).assign(shard=shard) for shard, path in enumerate(files.tables)], ignore_index=True
    )
    panels = []
    # Numbered, because a patient's name has no place in a figure.
    for number, chosen in enumerate(choose_panels(slices, subjects).itertuples(), start=1):
        grey = load_arrays(files.slices[chosen.shard], ["images"])["images"][chosen.row, channel]
        cells = load_arrays(files.cells[chosen.shard])["cells"][chosen.row]
        partition = load_arrays(files.partitions[chosen.shard])["domains"][chosen.row]
        panels.append(Panel(f"Patient {number}", grey, cells, partition))
    greys = training_cells(load_tables(files.cell_tables), subjects)
    save_figure(draw_partition(panels, domains, greys, reference), snakemake.output.pdf, snakemake.output.png)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

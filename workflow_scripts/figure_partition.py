"""Show the cells, the domains and the fitted grey levels, for the eye to check."""

import pandas as pd

from mosaicmr.cohort.selection import TRAINING, select_splits
from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.figures.partition import Panel, choose_panels, draw_partition
from mosaicmr.figures.style import save_figure
from mosaicmr.io import load_arrays, load_table, load_tables
from mosaicmr.partition.domains import load_domains
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files = snakemake.input
    domains, reference = load_domains(files.domains)
    shards = SliceSet.open_all(files.slices, files.domain_maps)
    channel = shards[0].header.modalities.index(reference)
    subjects = load_table(files.subjects)
    slices = pd.concat([shard.table.assign(shard=index) for index, shard in enumerate(shards)], ignore_index=True)
    panels = []
    # Numbered, because a patient's name has no place in a figure.
    for number, chosen in enumerate(choose_panels(slices, subjects).itertuples(), start=1):
        shard = shards[chosen.shard]
        cells = load_arrays(files.cells[chosen.shard])["cells"][chosen.row]
        grey = shard.images[chosen.row, channel]
        panels.append(Panel(f"Patient {number}", grey, cells, shard.domains[chosen.row]))
    greys = select_splits(load_tables(files.cell_tables), subjects, TRAINING)
    save_figure(draw_partition(panels, domains, greys, reference), snakemake.output.pdf, snakemake.output.png)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

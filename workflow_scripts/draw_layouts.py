"""Draw new layouts from training patients, with their aligned source slices and their prompts."""

import numpy as np
import pandas as pd

from mosaicmr.io import create_arrays, load_arrays, load_json, load_table, save_table
from mosaicmr.partition.domains import load_domains
from mosaicmr.prompts.looks import AppearanceScale
from mosaicmr.stage import progress, stage
from mosaicmr.synthesis.layouts import (
    LayoutSettings,
    draw_layout,
    plan_layouts,
    read_slices,
    tabulate_layouts,
    training_slices,
)

MAPS = ("domains", "labels", "brain")


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    domains, reference = load_domains(files.domains)
    settings = LayoutSettings(**params.settings)
    scale = AppearanceScale.from_records(load_json(files.appearance))
    tables = [load_table(path).assign(file=file) for file, path in enumerate(files.tables)]
    slices = training_slices(pd.concat(tables, ignore_index=True), load_table(files.subjects))
    plans = plan_layouts(slices, range(params.first, params.last + 1), settings, params.seed)
    modalities, *size = load_arrays(files.slices[0], ["images"])["images"].shape[1:]
    maps = {name: (np.uint8, (len(plans), *size)) for name in MAPS}
    tables = []
    with create_arrays(
        snakemake.output.arrays, maps | {"source": (np.float16, (len(plans), modalities, *size))}
    ) as arrays:
        for row, plan in enumerate(progress(plans, len(plans), "layouts drawn")):
            sources = read_slices([plan], slices, files.slices, files.partitions)
            layout = draw_layout(plan, sources, domains, reference, params.pixel_size, settings, params.seed)
            for name in MAPS:
                arrays[name][row] = getattr(layout.annotated, name)
            arrays["source"][row] = layout.annotated.images
            table = tabulate_layouts([layout], slices, domains, params.modalities, params.pixel_size, scale)
            tables.append(table.assign(row=row))
    save_table(snakemake.output.table, pd.concat(tables, ignore_index=True))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Draw new layouts from training patients, with their aligned source slices and their prompts."""

from dataclasses import replace

import numpy as np
import pandas as pd

from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.io import create_arrays, load_json, load_table, save_table
from mosaicmr.partition.domains import load_domains
from mosaicmr.prompts.looks import LookScale
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
    scale = LookScale.from_records(load_json(files.looks))
    shards = SliceSet.open_all(files.slices, files.domain_maps)
    header = replace(shards[0].header, domains=tuple(domain.name for domain in domains))
    tables = [shard.table.assign(shard=index) for index, shard in enumerate(shards)]
    slices = training_slices(pd.concat(tables, ignore_index=True), load_table(files.subjects))
    plans = plan_layouts(slices, range(params.first, params.last + 1), settings, params.seed)
    modalities, *size = shards[0].images.shape[1:]
    arrays = {name: (np.uint8, (len(plans), *size)) for name in MAPS}
    arrays |= {"source": (np.float16, (len(plans), modalities, *size))}
    tables = []
    with create_arrays(snakemake.output.layouts, arrays, header.metadata) as filled:
        for row, plan in enumerate(progress(plans, len(plans), "layouts drawn")):
            sources = read_slices([plan], slices, shards)
            layout = draw_layout(plan, sources, domains, reference, header.pixel_size, settings, params.seed)
            for name in MAPS:
                filled[name][row] = getattr(layout.annotated, name)
            filled["source"][row] = layout.annotated.images
            tables.append(tabulate_layouts([layout], slices, domains, header, scale).assign(row=row))
    save_table(snakemake.output.table, pd.concat(tables, ignore_index=True))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

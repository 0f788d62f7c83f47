"""Draw new layouts from training patients, with their aligned source slices and their prompts."""

import numpy as np
import pandas as pd

from mosaicmr.io import load_table, save_arrays, save_table
from mosaicmr.partition.domains import load_domains
from mosaicmr.stage import progress, stage
from mosaicmr.synthesis.layouts import (
    LayoutSettings,
    draw_layout,
    plan_layouts,
    read_slices,
    tabulate_layouts,
    training_slices,
)


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    domains, reference = load_domains(files.domains)
    settings = LayoutSettings(**params.settings)
    tables = [load_table(path).assign(file=file) for file, path in enumerate(files.tables)]
    slices = training_slices(pd.concat(tables, ignore_index=True), load_table(files.subjects))
    plans = plan_layouts(slices, range(params.first, params.last + 1), settings, params.seed)
    sources = read_slices(plans, slices, files.slices, files.partitions)
    layouts = [
        draw_layout(plan, sources, domains, reference, params.pixel_size, settings, params.seed)
        for plan in progress(plans, len(plans), "layouts drawn")
    ]
    drawn = [layout.annotated for layout in layouts]
    arrays = {name: np.stack([getattr(one, name) for one in drawn]) for name in ("domains", "labels", "brain")}
    arrays["source"] = np.stack([one.images for one in drawn]).astype(np.float16)
    save_arrays(snakemake.output.arrays, arrays)
    save_table(snakemake.output.table, tabulate_layouts(layouts, slices, domains, params.modalities, params.pixel_size))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

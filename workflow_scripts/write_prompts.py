"""Write the prompt of every domain of the training patients' slices, and the meaning of its words on looks."""

import pandas as pd

from mosaicmr.cohort.selection import TRAINING, select_splits
from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.io import load_table, save_json, save_table
from mosaicmr.partition.domains import WHOLE, load_domains
from mosaicmr.prompts.looks import LookScale, measure_regions
from mosaicmr.prompts.templates import prompt_table
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files = snakemake.input
    subjects = load_table(files.subjects)
    domains, _ = load_domains(files.domains)
    experts = [*(domain.name for domain in domains), WHOLE]
    shards = [(shard, select_splits(shard.table, subjects, TRAINING)) for shard in SliceSet.open_all(files.slices)]
    scale = LookScale.fit(
        measure_regions(shard.images[row], shard.labels[row], shard.header.modalities, shard.header.pixel_size)
        for shard, table in shards
        for row in table["row"]
    )
    prompts = [prompt_table(shard, table, experts, scale) for shard, table in shards]
    save_json(snakemake.output.looks, scale.records())
    save_table(snakemake.output.table, pd.concat(prompts, ignore_index=True))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

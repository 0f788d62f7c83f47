"""Write the prompts of the training patients' slices for every domain, and the meaning of their words on looks."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from mosaicmr.io import load_arrays, load_table, save_json, save_table
from mosaicmr.partition.domains import WHOLE, load_domains
from mosaicmr.prompts.looks import AppearanceScale, measure_regions
from mosaicmr.prompts.templates import prompt_table
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    domains, _ = load_domains(files.domains)
    experts = [*(domain.name for domain in domains), WHOLE]
    view = (params.modalities, params.pixel_size)
    regions = [
        measure_regions(slices["images"][row], slices["labels"][row], *view)
        for slices, table in training_shards(files)
        for row in table["row"]
    ]
    scale = AppearanceScale.fit(regions)
    prompts = [
        prompt_table(slices["images"], slices["labels"], slices["brain"], table, experts, *view, scale)
        for slices, table in training_shards(files)
    ]
    save_json(snakemake.output.appearance, scale.records())
    save_table(snakemake.output.table, pd.concat(prompts, ignore_index=True))


def training_shards(files) -> Iterator[tuple[dict[str, np.ndarray], pd.DataFrame]]:
    """The arrays of each shard and the rows of its table that are of training patients."""
    subjects = load_table(files.subjects)
    training = set(subjects.loc[subjects["split"] == "train", "subject"])
    for arrays, rows in zip(files.slices, files.tables, strict=True):
        table = load_table(rows)
        yield load_arrays(arrays, ["images", "labels", "brain"]), table[table["subject"].isin(training)]


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

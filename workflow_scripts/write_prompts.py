"""Write the prompt of every domain of the training patients' slices."""

import pandas as pd

from mosaicmr.diffusion.prompts import WHOLE, prompt_table
from mosaicmr.io import load_arrays, load_table, save_table
from mosaicmr.partition.domains import load_domains
from mosaicmr.stage import stage


def main(snakemake) -> None:
    params = snakemake.params
    subjects = load_table(snakemake.input.subjects)
    training = set(subjects.loc[subjects["split"] == "train", "subject"])
    domains, _ = load_domains(snakemake.input.domains)
    experts = [*(domain.name for domain in domains), WHOLE]
    prompts = []
    for arrays, rows in zip(snakemake.input.slices, snakemake.input.tables, strict=True):
        table = load_table(rows)
        table = table[table["subject"].isin(training)]
        slices = load_arrays(arrays, ["labels", "brain"])
        prompts.append(
            prompt_table(slices["labels"], slices["brain"], table, experts, params.modalities, params.pixel_size)
        )
    save_table(snakemake.output[0], pd.concat(prompts, ignore_index=True))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

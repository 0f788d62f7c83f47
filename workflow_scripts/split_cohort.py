"""Divide the patients into training, validation and test, balanced in tumours."""

from mosaicmr.cohort.split import log_split, split_subjects
from mosaicmr.io import load_tables, save_table
from mosaicmr.stage import stage


def main(snakemake) -> None:
    table = split_subjects(load_tables(snakemake.input), snakemake.params.fractions, snakemake.params.seed)
    log_split(table)
    save_table(snakemake.output[0], table)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

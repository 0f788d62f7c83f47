"""Divide the patients into training, validation and test, balanced in tumours."""

from mosaicmr.cohort.report import require_complete
from mosaicmr.cohort.split import log_split, split_subjects
from mosaicmr.io import load_csv, load_table, save_table
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    require_complete(load_table(files.verdicts), load_csv(files.findings), params.incomplete, files.findings)
    table = split_subjects(load_table(files.table), params.fractions, params.seed)
    log_split(table)
    save_table(snakemake.output[0], table)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

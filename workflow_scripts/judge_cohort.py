"""Report on the whole cohort: every scan with its verdict, and all findings with their remedies."""

import logging
from collections.abc import Sequence

import pandas as pd

from mosaicmr.cohort.check import FINDING_COLUMNS, ROW_COLUMNS
from mosaicmr.cohort.report import accepted_rows, describe_cohort, judge_cohort, tabulate_scans, tabulate_verdicts
from mosaicmr.cohort.subject import Subject
from mosaicmr.io import load_tables, save_csv, save_table
from mosaicmr.scans.findings import Finding
from mosaicmr.stage import stage

logger = logging.getLogger("mosaicmr.judge_cohort")


def read_all(paths: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """The tables of all shards as one; none of the columns where names alone leave no scan to check."""
    return load_tables(paths) if paths else pd.DataFrame(columns=columns)


def main(snakemake) -> None:
    files, output, params = snakemake.input, snakemake.output, snakemake.params
    subjects = [Subject.from_record(record) for record in params.subjects]
    of_names = [Finding.from_record(record) for record in params.of_names]
    rows, findings = read_all(files.tables, ROW_COLUMNS), read_all(files.findings, FINDING_COLUMNS)
    rows, findings = judge_cohort(rows, findings, subjects, of_names)
    for line in describe_cohort(rows, findings, output.findings):
        logger.info("%s", line)
    save_csv(output.scans, tabulate_scans(rows, subjects, params.patients))
    save_csv(output.findings, findings)
    save_table(output.verdicts, tabulate_verdicts(rows, params.left_out))
    save_table(output.table, accepted_rows(rows))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

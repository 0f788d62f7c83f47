"""Read every file of a shard's subjects, refuse what is damaged, and measure the tumours."""

from mosaicmr.cohort.check import check_subjects
from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.subject import Subject
from mosaicmr.io import save_table
from mosaicmr.stage import progress, stage


def main(snakemake) -> None:
    params = snakemake.params
    subjects = [Subject.from_record(record) for record in params.subjects]
    table = check_subjects(
        progress(subjects, len(subjects), "subjects checked"),
        LabelScheme.from_records(params.classes, params.label_scheme),
    )
    save_table(snakemake.output[0], table)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

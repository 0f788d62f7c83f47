"""Read every file of a shard's subjects, say all that is wrong with them, and measure the tumours."""

from mosaicmr.cohort.check import check_subjects
from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.picture_files import save_pictures
from mosaicmr.cohort.subject import Subject
from mosaicmr.io import save_table
from mosaicmr.stage import progress, stage


def main(snakemake) -> None:
    params, output = snakemake.params, snakemake.output
    subjects = [Subject.from_record(record) for record in params.subjects]
    rows, findings, pictures = check_subjects(
        progress(subjects, len(subjects), "subjects checked"),
        LabelScheme.from_records(params.classes, params.label_scheme),
    )
    save_pictures(output.pictures, pictures)
    save_table(output.findings, findings)
    save_table(output.table, rows)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

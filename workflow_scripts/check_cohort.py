"""Read every file of a shard's subjects, refuse what is damaged, and measure the tumours."""

from mosaicmr.cohort.check import check_subjects
from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.sources import subjects_of_shard
from mosaicmr.io import save_table
from mosaicmr.stage import progress, stage


def main(snakemake) -> None:
    params = snakemake.params
    subjects = subjects_of_shard(snakemake.input, params.modalities, params.label_scheme, snakemake.wildcards.shard)
    table = check_subjects(
        progress(subjects, len(subjects), "subjects checked"),
        LabelScheme.from_records(params.classes, params.label_scheme),
    )
    save_table(snakemake.output[0], table)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

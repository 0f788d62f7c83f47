"""Cut the normalised axial slices of a shard's subjects."""

from mosaicmr.cohort.extraction import SliceSettings, extract_shard
from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.subject import Subject
from mosaicmr.io import load_table
from mosaicmr.scans.findings import REFUSED
from mosaicmr.stage import progress, stage


def main(snakemake) -> None:
    params = snakemake.params
    checked = load_table(snakemake.input.checked).set_index("subject")["verdict"]
    subjects = [Subject.from_record(record) for record in params.subjects if checked[record["subject"]] != REFUSED]
    slices = extract_shard(
        progress(subjects, len(subjects), "subjects cut"),
        LabelScheme.from_records(params.classes, params.label_scheme),
        params.modalities,
        SliceSettings.from_config(params.settings),
    )
    slices.save(snakemake.output.slices)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

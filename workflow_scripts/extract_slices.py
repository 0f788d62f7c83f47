"""Cut the normalised axial slices of a shard's subjects."""

from mosaicmr.cohort.extraction import SliceSettings, extract_shard
from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.sources import subjects_of_shard
from mosaicmr.stage import progress, stage


def main(snakemake) -> None:
    params, shard = snakemake.params, snakemake.wildcards.shard
    subjects = subjects_of_shard(snakemake.input.files, params.modalities, params.label_scheme, shard)
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

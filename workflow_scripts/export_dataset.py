"""Write the synthetic slices and their label maps in nnU-Net's raw layout."""

from mosaicmr.cohort.labels import occurring_classes
from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.io import load_table
from mosaicmr.stage import stage
from mosaicmr.synthesis.export import export_dataset


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    batches = SliceSet.open_all(files.layouts, files.slices)
    classes = occurring_classes(batches[0].header.classes, load_table(files.subjects))
    export_dataset(snakemake.output.dataset, batches, classes, params.variant, params.slice_spacing)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

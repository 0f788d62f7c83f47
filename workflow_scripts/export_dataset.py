"""Write the synthetic slices and their label maps in nnU-Net's raw layout."""

from mosaicmr.io import load_arrays, load_table
from mosaicmr.partition.domains import WHOLE
from mosaicmr.stage import progress, stage
from mosaicmr.synthesis.export import DatasetFacts, export_dataset


def batches(files):
    """Images, labels and prompts of one batch after the other."""
    for slices, layouts, table in zip(files.slices, files.layouts, files.tables, strict=True):
        images, labels = load_arrays(slices, ["images"])["images"], load_arrays(layouts, ["labels"])["labels"]
        yield images, labels, load_table(table).rename(columns={f"prompt_{WHOLE}": "prompt"})


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    facts = DatasetFacts(
        params.variant, params.modalities, params.label_scheme, params.pixel_size, params.slice_spacing
    )
    export_dataset(snakemake.output.dataset, progress(batches(files), len(files.slices), "exporting batches"), facts)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

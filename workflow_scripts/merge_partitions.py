"""Blend the partitions of each slice across the borders of its domains."""

from mosaicmr.io import load_arrays, save_arrays
from mosaicmr.stage import stage
from mosaicmr.synthesis.merge import merge_partitions


def main(snakemake) -> None:
    partitions = load_arrays(snakemake.input.partitions, ["partitions"])["partitions"]
    domains = load_arrays(snakemake.input.layouts, ["domains"])["domains"]
    merged = merge_partitions(partitions, domains, snakemake.params.feather, snakemake.params.pixel_size)
    save_arrays(snakemake.output.merged, {"images": merged})


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

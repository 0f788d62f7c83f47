"""Blend the renderings of each slice across the borders of its domains."""

from mosaicmr.io import load_arrays, save_arrays
from mosaicmr.stage import stage
from mosaicmr.synthesis.inputs import Layouts
from mosaicmr.synthesis.merge import merge_renderings


def main(snakemake) -> None:
    layouts = Layouts.open(snakemake.input.layouts)
    renderings = load_arrays(snakemake.input.renderings, ["renderings"])["renderings"]
    merged = merge_renderings(renderings, layouts.domains, snakemake.params.feather, layouts.header.pixel_size)
    save_arrays(snakemake.output.merged, {"images": merged}, layouts.header.metadata)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

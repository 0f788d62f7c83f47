"""Measure how often a variant's slices look as their prompts asked."""

from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.evaluation.prompt_accuracy import accuracy_metrics, compare_looks
from mosaicmr.io import load_json, save_table
from mosaicmr.prompts.looks import LookScale
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    scale = LookScale.from_records(load_json(files.scale))
    looks = compare_looks(SliceSet.open_all(files.layouts, files.slices), scale)
    save_table(snakemake.output.looks, looks)
    save_table(snakemake.output.metrics, accuracy_metrics(looks, params.seed, params.bootstrap))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

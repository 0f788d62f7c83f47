"""Fetch the base model's files from the Hugging Face hub, once for all jobs and runs."""

from pathlib import Path

from mosaicmr.diffusion.hub import fetch_snapshot
from mosaicmr.stage import stage


def main(snakemake) -> None:
    fetch_snapshot(snakemake.params.model, snakemake.params.revision, Path(snakemake.output[0]).parent)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Fetch the base model from the Hugging Face hub."""

from pathlib import Path

from mosaicmr.diffusion.hub import fetch_snapshot
from mosaicmr.stage import stage


def main(snakemake) -> None:
    fetch_snapshot(snakemake.params.model, snakemake.params.revision, Path(snakemake.output[0]).parent)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

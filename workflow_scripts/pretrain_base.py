"""Simulate slices, train the bundled base on them, and write it: hours on a CPU, and never part of a run."""

from pathlib import Path

from mosaicmr.device import choose_device
from mosaicmr.diffusion.text import load_bundled_encoder
from mosaicmr.io import digest_of
from mosaicmr.pretraining.pretrain import pretrain, settings_from
from mosaicmr.stage import stage


def main(snakemake) -> None:
    params = snakemake.params
    pretrain(
        settings_from(snakemake.config["pretrain"]),
        load_bundled_encoder(),
        params.seed,
        # Other code, settings or seed must not go on from these slices and checkpoints.
        Path(params.work) / digest_of([params.code, params.settings, params.seed])[:12],
        Path(snakemake.output[0]).parent,
        choose_device(params.device).type,
        Path(params.progress),
    )


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Encode the slices of the training patients of one shard."""

import numpy as np

from mosaicmr.device import choose_device
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.latents import encode_slices
from mosaicmr.io import load_arrays, load_table, save_arrays
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    subjects, table = load_table(files.subjects), load_table(files.table)
    training = subjects.loc[subjects["split"] == "train", "subject"]
    rows = table.loc[table["subject"].isin(training), "row"].to_numpy(np.int32)
    images = load_arrays(files.slices, ["images"])["images"][rows]
    base = Base.open(params.model, device=choose_device(params.device))
    mean, std = encode_slices(base.codec, images)
    save_arrays(snakemake.output[0], {"mean": mean, "std": std, "row": rows})


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Encode the slices of the training patients of one shard."""

import numpy as np

from mosaicmr.cohort.selection import TRAINING, select_splits
from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.device import choose_device
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.latents import encode_slices
from mosaicmr.io import load_table, save_arrays
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    slices = SliceSet.open(files.slices)
    rows = select_splits(slices.table, load_table(files.subjects), TRAINING)["row"].to_numpy(np.int32)
    base = Base.open(params.model, device=choose_device(params.device))
    mean, std = encode_slices(base.codec, slices.images[rows])
    save_arrays(snakemake.output[0], {"mean": mean, "std": std, "row": rows}, slices.header.metadata)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

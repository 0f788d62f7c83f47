"""Embed every prompt of the layouts, or of the training slices, once."""

import logging

import numpy as np
import pandas as pd

from mosaicmr.device import choose_device
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.text import BATCH, embed_in_batches, unique_prompts
from mosaicmr.io import create_arrays, load_table, save_table
from mosaicmr.stage import stage

logger = logging.getLogger("mosaicmr.embed_prompts")


def main(snakemake) -> None:
    prompts = unique_prompts(load_table(path) for path in snakemake.input.tables)
    logger.info("embedding %d different prompts", len(prompts))
    encode = Base.open(snakemake.params.model, device=choose_device(snakemake.params.device)).text_encoder
    everything = ["", *prompts]
    length, width = encode([""])[0].shape[1:]
    size = (len(everything), length)
    # Filled on disk: those of ten thousand layouts are larger than memory.
    with create_arrays(
        snakemake.output.embeddings, {"embeddings": (np.float16, (*size, width)), "mask": (np.uint8, size)}
    ) as arrays:
        for batch, (embeddings, mask) in enumerate(embed_in_batches(encode, everything)):
            rows = slice(batch * BATCH, batch * BATCH + len(mask))
            arrays["embeddings"][rows], arrays["mask"][rows] = embeddings.numpy(), mask.numpy()
    save_table(snakemake.output.table, pd.DataFrame({"prompt": everything, "row": np.arange(len(everything))}))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

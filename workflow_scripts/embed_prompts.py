"""Embed every prompt of the training slices, or of the layouts, once."""

import logging

import numpy as np
import pandas as pd

from mosaicmr.diffusion.device import choose_device
from mosaicmr.diffusion.text import embed_prompts, load_text_encoder, unique_prompts
from mosaicmr.io import load_table, save_arrays, save_table
from mosaicmr.stage import stage

logger = logging.getLogger("mosaicmr.embed_prompts")


def main(snakemake) -> None:
    prompts = unique_prompts(load_table(path) for path in snakemake.input.tables)
    logger.info("embedding %d different prompts", len(prompts))
    encode = load_text_encoder(snakemake.params.model, choose_device(snakemake.params.device))
    embeddings, mask = embed_prompts(encode, prompts)
    save_arrays(snakemake.output.embeddings, {"embeddings": embeddings.numpy(), "mask": mask.numpy()})
    save_table(snakemake.output.table, pd.DataFrame({"prompt": ["", *prompts], "row": np.arange(len(prompts) + 1)}))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

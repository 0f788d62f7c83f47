"""Draw one layout from the same noise under prompts that differ in one tumour class's brightness."""

import logging
from pathlib import Path

import pandas as pd

from mosaicmr.device import choose_device
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.denoiser import Denoiser
from mosaicmr.io import load_json, save_arrays, save_table
from mosaicmr.prompts.looks import LookScale
from mosaicmr.stage import stage
from mosaicmr.synthesis.generation import Sampler, Start, synthesize_slices
from mosaicmr.synthesis.inputs import Embeddings, Layouts
from mosaicmr.synthesis.prompt_sweep import MEASURED, choose_layout, measure_sweep, repeat_layout, sweep_prompts

logger = logging.getLogger("mosaicmr.synthesize_prompt_sweep")


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    device = choose_device(params.device)
    batches = Layouts.open_all(files.layouts)
    header = batches[0].header
    table = pd.concat([batch.table.assign(batch=index) for index, batch in enumerate(batches)], ignore_index=True)
    row = choose_layout(table, header)
    if row is None:
        logger.warning("no prompt of a layout says how a class looks, so there is nothing to vary")
        empty = {"images": batches[0].source[:0], "labels": batches[0].labels[0], "brain": batches[0].brain[0]}
        save_arrays(snakemake.output.slices, empty, header.metadata)
        save_table(snakemake.output.table, pd.DataFrame(columns=[*MEASURED, "slice"]))
        return
    chosen = table.iloc[row]
    batch = batches[chosen["batch"]]
    labels, brain = batch.labels[chosen["row"]], batch.brain[chosen["row"]]
    prompts = sweep_prompts(chosen, labels, brain, header)

    base = Base.open(params.base["model"], header.modalities, device, params.base["precision"], params.base["unet"])
    layouts = repeat_layout(batch, chosen["row"], prompts["prompt"])
    embeddings = Embeddings.embed(base.text_encoder, prompts["prompt"])
    sampler = Sampler.of(base, embeddings, params.sampling, params.seed)
    whole = Denoiser.load(base, Path(files.adapter).parent)
    images = synthesize_slices(sampler, layouts, whole, Start())
    scale = LookScale.from_records(load_json(files.looks))
    measured = measure_sweep(images, labels, prompts, scale, header)
    save_arrays(snakemake.output.slices, {"images": images, "labels": labels, "brain": brain}, header.metadata)
    save_table(snakemake.output.table, measured.assign(slice=chosen["slice"]))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Draw one layout from the same noise under prompts that differ in one tumour class's brightness."""

from pathlib import Path

import pandas as pd

from mosaicmr.device import choose_device
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.denoiser import Denoiser
from mosaicmr.io import load_arrays, load_json, load_table, save_arrays, save_table
from mosaicmr.prompts.looks import AppearanceScale
from mosaicmr.stage import stage
from mosaicmr.synthesis.generation import Sampler, Start, synthesize_slices
from mosaicmr.synthesis.inputs import Embeddings, Layouts
from mosaicmr.synthesis.prompt_sweep import choose_layout, measure_sweep, repeat_layout, sweep_prompts


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    device = choose_device(params.device)
    base = Base.open(params.base["model"], params.modalities, device, params.base["precision"], params.base["unet"])
    view = (params.modalities, params.pixel_size)
    tables = [load_table(path).assign(batch=batch) for batch, path in enumerate(files.tables)]
    table = pd.concat(tables, ignore_index=True)
    chosen = table.iloc[choose_layout(table, params.modalities)]
    maps = load_arrays(files.layouts[chosen["batch"]], ["labels", "brain"])
    labels, brain = maps["labels"][chosen["row"]], maps["brain"][chosen["row"]]
    prompts = sweep_prompts(chosen, labels, brain, *view)

    batch = Layouts.load(files.layouts[chosen["batch"]], files.tables[chosen["batch"]], params.domains)
    layouts = repeat_layout(batch, chosen["row"], prompts["prompt"])
    embeddings = Embeddings.embed(base.text_encoder, prompts["prompt"])
    sampler = Sampler.of(base, embeddings, params.sampling, params.seed)
    whole = Denoiser.load(base, Path(files.adapter).parent)
    images = synthesize_slices(sampler, layouts, whole, Start())
    scale = AppearanceScale.from_records(load_json(files.appearance))
    measured = measure_sweep(images, labels, prompts, scale, *view)
    save_arrays(snakemake.output.slices, {"images": images, "labels": labels, "brain": brain})
    save_table(snakemake.output.table, measured.assign(synthetic=chosen["synthetic"]))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

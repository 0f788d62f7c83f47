"""Draw one layout from the same noise under prompts that differ in one tumour class's brightness."""

import pandas as pd

from mosaicmr.device import choose_device
from mosaicmr.diffusion.text import load_text_encoder
from mosaicmr.io import load_arrays, load_json, load_table, save_arrays, save_table
from mosaicmr.partition.domains import WHOLE
from mosaicmr.prompts.looks import AppearanceScale
from mosaicmr.stage import stage
from mosaicmr.synthesis.generation import Sampler, Start, expert_loader, synthesize_slices
from mosaicmr.synthesis.inputs import Layouts
from mosaicmr.synthesis.prompt_sweep import choose_layout, embed_sweep, measure_sweep, repeat_layout, sweep_prompts


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    device = choose_device(params.device)
    view = (params.modalities, params.pixel_size)
    tables = [load_table(path).assign(batch=batch) for batch, path in enumerate(files.tables)]
    table = pd.concat(tables, ignore_index=True)
    chosen = table.iloc[choose_layout(table, params.modalities)]
    maps = load_arrays(files.layouts[chosen["batch"]], ["labels", "brain"])
    labels, brain = maps["labels"][chosen["row"]], maps["brain"][chosen["row"]]
    prompts = sweep_prompts(chosen, labels, brain, *view)

    batch = Layouts.load(files.layouts[chosen["batch"]], files.tables[chosen["batch"]], params.domains)
    layouts = repeat_layout(batch, chosen["row"], prompts["prompt"])
    embeddings = embed_sweep(load_text_encoder(params.base["model"], device), prompts["prompt"])
    sampler = Sampler.load(params.base["model"], embeddings, params.sampling, params.seed, device)
    whole = expert_loader([files.adapter], params.base, params.modalities, device)(WHOLE)
    images = synthesize_slices(sampler, layouts, whole, Start())
    scale = AppearanceScale.from_records(load_json(files.appearance))
    measured = measure_sweep(images, labels, prompts, scale, *view)
    save_arrays(snakemake.output.slices, {"images": images, "labels": labels, "brain": brain})
    save_table(snakemake.output.table, measured.assign(synthetic=chosen["synthetic"]))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

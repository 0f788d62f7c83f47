"""Let each domain's expert draw the slices of a batch on its own."""

import numpy as np

from mosaicmr.device import choose_device
from mosaicmr.diffusion.base import Base
from mosaicmr.io import create_arrays
from mosaicmr.stage import stage
from mosaicmr.synthesis.generation import Sampler, Start, expert_loader, render_domains
from mosaicmr.synthesis.inputs import Embeddings, Layouts


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    device = choose_device(params.device)
    layouts = Layouts.open(files.layouts)
    modalities = layouts.header.modalities
    base = Base.open(params.base["model"], modalities, device, params.base["precision"], params.base["unet"])
    embeddings = Embeddings.load(files.embeddings, files.prompts)
    sampler = Sampler.of(base, embeddings, params.sampling, params.seed)
    load_expert = expert_loader(files.adapters, base)
    shape = (len(layouts), len(layouts.names), *layouts.source.shape[1:])
    arrays = {"renderings": (np.float16, shape)}
    with create_arrays(snakemake.output.renderings, arrays, layouts.header.metadata) as filled:
        start = Start.of(params.variant, layouts)
        render_domains(sampler, layouts, load_expert, start, filled["renderings"])


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Let each domain's expert draw the slices of a batch on its own."""

from mosaicmr.diffusion.device import choose_device
from mosaicmr.io import save_arrays
from mosaicmr.stage import stage
from mosaicmr.synthesis.generation import Sampler, Start, expert_loader, synthesize_partitions
from mosaicmr.synthesis.inputs import Embeddings, Layouts


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    device = choose_device(params.device)
    layouts = Layouts.load(files.layouts, files.table, params.domains)
    embeddings = Embeddings.load(files.embeddings, files.prompts)
    sampler = Sampler.load(params.base["model"], embeddings, params.sampling, params.seed, device)
    load_expert = expert_loader(files.adapters, params.base, params.modalities, device)
    partitions = synthesize_partitions(sampler, layouts, load_expert, Start.of(params.variant, layouts))
    save_arrays(snakemake.output.partitions, {"partitions": partitions})


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

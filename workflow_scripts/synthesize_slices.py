"""Let the expert for whole slices draw a batch: the baseline without partitions."""

from mosaicmr.device import choose_device
from mosaicmr.io import save_arrays
from mosaicmr.partition.domains import WHOLE
from mosaicmr.stage import stage
from mosaicmr.synthesis.generation import Sampler, Start, expert_loader, synthesize_slices
from mosaicmr.synthesis.inputs import Embeddings, Layouts


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    device = choose_device(params.device)
    layouts = Layouts.open(files.layouts)
    embeddings = Embeddings.load(files.embeddings, files.prompts)
    sampler = Sampler.load(params.base["model"], embeddings, params.sampling, params.seed, device)
    whole = expert_loader([files.adapter], params.base, layouts.header.modalities, device)(WHOLE)
    images = synthesize_slices(sampler, layouts, whole, Start.of(params.variant, layouts))
    save_arrays(snakemake.output.slices, {"images": images}, layouts.header.metadata)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

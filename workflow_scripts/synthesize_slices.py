"""Let the expert for whole slices draw a batch: the baseline, with a single model."""

from pathlib import Path

from mosaicmr.device import choose_device
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.denoiser import Denoiser
from mosaicmr.io import save_arrays
from mosaicmr.stage import stage
from mosaicmr.synthesis.generation import Sampler, Start, synthesize_slices
from mosaicmr.synthesis.inputs import Embeddings, Layouts


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    device = choose_device(params.device)
    layouts = Layouts.open(files.layouts)
    modalities = layouts.header.modalities
    base = Base.open(params.base["model"], modalities, device, params.base["precision"], params.base["unet"])
    embeddings = Embeddings.load(files.embeddings, files.prompts)
    sampler = Sampler.of(base, embeddings, params.sampling, params.seed)
    whole = Denoiser.load(base, Path(files.adapter).parent)
    images = synthesize_slices(sampler, layouts, whole, Start.of(params.variant, layouts))
    save_arrays(snakemake.output.slices, {"images": images}, layouts.header.metadata)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

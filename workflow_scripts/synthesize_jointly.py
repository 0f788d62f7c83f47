"""Let all experts denoise one latent a slice together, so that nothing has to be merged."""

from mosaicmr.device import choose_device
from mosaicmr.diffusion.base import Base
from mosaicmr.io import save_arrays
from mosaicmr.partition.domains import WHOLE
from mosaicmr.stage import stage
from mosaicmr.synthesis.generation import Sampler, Start, expert_loader
from mosaicmr.synthesis.inputs import Embeddings, Layouts
from mosaicmr.synthesis.joint import synthesize_jointly


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    device = choose_device(params.device)
    layouts = Layouts.open(files.layouts)
    modalities = layouts.header.modalities
    base = Base.open(params.base["model"], modalities, device, params.base["precision"], params.base["unet"])
    embeddings = Embeddings.load(files.embeddings, files.prompts)
    sampler = Sampler.of(base, embeddings, params.sampling, params.seed)
    load_expert = expert_loader(files.adapters, base)
    experts = {name: load_expert(name) for name in (*layouts.names, WHOLE)}
    start = Start.of(params.variant, layouts)
    images = synthesize_jointly(sampler, layouts, experts, start, params.feather, layouts.header.pixel_size)
    save_arrays(snakemake.output.slices, {"images": images}, layouts.header.metadata)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

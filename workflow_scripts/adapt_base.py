"""Fine-tune the base U-Net on the slices of the training patients, for all experts."""

from pathlib import Path

from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.device import choose_device, choose_training_dtype
from mosaicmr.diffusion.adapted import save_adapted
from mosaicmr.diffusion.base import Base
from mosaicmr.io import save_table
from mosaicmr.monitoring.journal import Journal
from mosaicmr.partition.domains import load_domains
from mosaicmr.stage import stage
from mosaicmr.training.adaptation import AdaptationSettings, adapt, describe_adaptation
from mosaicmr.training.checkpoint import Checkpoint
from mosaicmr.training.finetuning import training_fingerprint
from mosaicmr.training.training_set import Prompts, Shard, load_adaptation_slices


def main(snakemake) -> None:
    files, output, params = snakemake.input, snakemake.output, snakemake.params
    device = choose_device(params.device)
    modalities = SliceHeader.read(files.latents[0]).modalities
    base = Base.open(params.base["model"], modalities, device)
    shards = [Shard(*paths) for paths in zip(files.latents, files.domain_maps, files.tables, strict=True)]
    prompts = Prompts(files.prompts, files.embeddings, files.embedding_table)
    domains, _ = load_domains(files.domains)
    slices = load_adaptation_slices(shards, prompts, domains, with_std=not base.bundled)

    settings = AdaptationSettings(
        seed=params.seed, checkpoint_every=snakemake.config["adaptation"]["checkpoint_every"], **params.settings
    )
    dtype = choose_training_dtype(params.base["precision"], device)
    unet = base.load_unet().to(device)
    fingerprint = training_fingerprint(unet, slices, settings, [params.code, str(device), str(dtype)])
    checkpoint = Checkpoint(Path(params.checkpoint), fingerprint)
    with Journal("base", params.progress, params.events) as journal:
        adapted, history = adapt(unet, base.schedule, slices, settings, checkpoint, dtype, journal)
        save_table(output.history, history)
        facts = describe_adaptation(slices, history)
        save_adapted(adapted, Path(output.facts).parent, base.name, modalities, facts)
    checkpoint.remove()


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

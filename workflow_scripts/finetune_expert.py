"""Fine-tune the expert of one domain, or of whole slices."""

import logging
from pathlib import Path

from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.device import choose_device, choose_training_dtype
from mosaicmr.diffusion.adapters import add_adapter, save_adapter
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.unet import choose_attention
from mosaicmr.io import save_json, save_table
from mosaicmr.monitoring.journal import Journal
from mosaicmr.partition.domains import load_domains
from mosaicmr.stage import stage
from mosaicmr.training.batches import ExpertSettings
from mosaicmr.training.checkpoint import Checkpoint
from mosaicmr.training.experts import describe_expert, finetune
from mosaicmr.training.finetuning import training_fingerprint
from mosaicmr.training.loop import no_history
from mosaicmr.training.training_set import Prompts, Shard, domain_id, load_training_slices

logger = logging.getLogger("mosaicmr.finetune_expert")


def main(snakemake) -> None:
    files, output, params = snakemake.input, snakemake.output, snakemake.params
    name, device = snakemake.wildcards.domain, choose_device(params.device)
    modalities = SliceHeader.read(files.latents[0]).modalities
    base = Base.open(params.base["model"], modalities, device, unet=params.base["unet"])
    shards = [Shard(*paths) for paths in zip(files.latents, files.domain_maps, files.tables, strict=True)]
    prompts = Prompts(files.prompts, files.embeddings, files.embedding_table)
    domains, _ = load_domains(files.domains)
    slices = load_training_slices(shards, prompts, name, domains, with_std=not base.bundled)

    settings = ExpertSettings(
        domain=name,
        domain_id=domain_id(name, domains),
        seed=params.seed,
        checkpoint_every=snakemake.config["experts"]["checkpoint_every"],
        **params.settings,
    )
    dtype = choose_training_dtype(params.base["precision"], device)
    unet = base.load_unet()
    choose_attention(unet, device, dtype)
    expert = add_adapter(unet, settings.method, settings.rank, settings.seed, name).to(device)
    fingerprint = training_fingerprint(expert, slices, settings, [params.code, str(device), str(dtype)])
    checkpoint = Checkpoint(Path(params.checkpoint), fingerprint)
    with Journal(f"expert {name}", params.progress, params.events) as journal:
        if len(slices):
            history = finetune(expert, base.schedule, slices, settings, checkpoint, dtype, journal)
        else:
            logger.warning("no training slice contains the domain '%s': its expert is the base model as it is", name)
            history = no_history()
        save_adapter(expert, Path(output.weights).parent, base.unet_name)
        save_table(output.history, history)
        save_json(output.facts, describe_expert(settings, slices, history, modalities, base.unet_name))
    checkpoint.remove()


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

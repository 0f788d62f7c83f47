"""Fine-tune the expert of one domain, or of whole slices."""

import logging
from pathlib import Path

from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.device import choose_device, choose_training_dtype
from mosaicmr.diffusion.adapters import add_adapter, save_adapter
from mosaicmr.diffusion.base import is_bundled, load_noise_schedule, load_unet, unet_name
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
    name, model, start = snakemake.wildcards.domain, params.base["model"], params.base["unet"]
    device = choose_device(params.device)
    shards = [Shard(*paths) for paths in zip(files.latents, files.domain_maps, files.tables, strict=True)]
    prompts = Prompts(files.prompts, files.embeddings, files.embedding_table)
    domains, _ = load_domains(files.domains)
    modalities = SliceHeader.read(files.latents[0]).modalities
    slices = load_training_slices(shards, prompts, name, domains, with_std=not is_bundled(model))

    settings = ExpertSettings(
        domain=name,
        domain_id=domain_id(name, domains),
        seed=params.seed,
        checkpoint_every=snakemake.config["experts"]["checkpoint_every"],
        **params.settings,
    )
    dtype = choose_training_dtype(params.base["precision"], device)
    unet = load_unet(start, modalities)
    choose_attention(unet, device, dtype)
    expert = add_adapter(unet, settings.method, settings.rank, settings.seed, name).to(device)
    fingerprint = training_fingerprint(expert, slices, settings, [params.code, str(device), str(dtype)])
    checkpoint = Checkpoint(Path(params.checkpoint), fingerprint)
    with Journal(f"expert {name}", params.progress, params.events) as journal:
        if len(slices):
            history = finetune(expert, load_noise_schedule(model), slices, settings, checkpoint, dtype, journal)
        else:
            logger.warning("no training slice contains the domain '%s': its expert is the base model as it is", name)
            history = no_history()
        save_adapter(expert, Path(output.weights).parent, unet_name(start))
        save_table(output.history, history)
        save_json(output.facts, describe_expert(settings, slices, history, modalities, unet_name(start)))
    checkpoint.remove()


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Shared by all rules: the builder of every path, and small helpers."""

import os
import re
from pathlib import Path

CHECKOUT = Path(workflow.basedir).resolve()
# Scripts import the library from this checkout, installed or not, here or on a node (Snakemake itself looks beside the
# Snakefile). The command of each job sets it, because Snakemake drops PYTHONPATH where it activates an environment.
os.environ.update(MOSAICMR_CHECKOUT=str(CHECKOUT))
shell.prefix('set -euo pipefail; export PYTHONPATH="$MOSAICMR_CHECKOUT${{PYTHONPATH:+:$PYTHONPATH}}"; ')

from mosaicmr.diffusion.base_kind import ORIGIN


def at(*parts):
    """The path of a file of this run: `at("slices", "{shard}.parquet")`."""
    return os.path.join("results", config["run"], *parts)


def shard_files(wildcards):
    """The files of a shard's images and segmentations."""
    return [str(file) for subject in SUBJECTS[wildcards.shard] for file in subject.files]


def shard_records(wildcards):
    """The subjects of a shard as records, so that no job reads the names of files again."""
    return [subject.record() for subject in SUBJECTS[wildcards.shard]]


def in_order(value):
    """A value of the configuration with the keys of its groups sorted: their order in a file means nothing."""
    return {key: in_order(value[key]) for key in sorted(value)} if isinstance(value, dict) else value


def growing(base):
    """Memory (MB) or time (minutes) that grows with each new attempt of a job that was killed for want of it."""

    def resource(wildcards, attempt):
        return base * attempt

    return resource


def base_model(wildcards):
    """The folder of the base model."""
    return config["base"]["model"]


def base_files(wildcards):
    """The files of the base model, without its card; for a model from the hub, the record of its files."""
    if HUB_MODEL:
        return [os.path.join(config["base"]["model"], ORIGIN)]
    files = Path(config["base"]["model"]).rglob("*")
    return sorted(str(file) for file in files if file.suffix in (".json", ".txt", ".safetensors"))


def adapted_files(wildcards):
    """The files of the adapted base, or none in a run without it."""
    names = ["adapted.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"]
    return [at("base", name) for name in names] if ADAPTED else []


def variants_of(scheme):
    """The names of the synthesis variants of a scheme."""
    return [name for name, variant in VARIANTS.items() if variant["scheme"] == scheme]


def without_checkpoints(settings):
    """Settings of trainings without how often they write a checkpoint, which changes no result."""
    kept = {key: value for key, value in settings.items() if key != "checkpoint_every"}
    return {key: without_checkpoints(value) if isinstance(value, dict) else value for key, value in kept.items()}


def one_of(names):
    """The pattern that matches these names and nothing else."""
    return "|".join(re.escape(name) for name in names) or "(?!)"

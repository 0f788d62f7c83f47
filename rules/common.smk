"""Shared by all rules: the checked configuration, the names of a run's parts, and the builder of every path."""

import math
import os
import re
import sys
from pathlib import Path

CHECKOUT = Path(workflow.basedir).resolve()
# Scripts import the library from this checkout, installed or not, here or on a node (Snakemake itself looks beside the
# Snakefile). The command of each job sets it, because Snakemake drops PYTHONPATH where it activates an environment.
os.environ.update(MOSAICMR_CHECKOUT=str(CHECKOUT))
shell.prefix('set -euo pipefail; export PYTHONPATH="$MOSAICMR_CHECKOUT${{PYTHONPATH:+:$PYTHONPATH}}"; ')

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.shards import assign_shards
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.config import check_config, load_schema, read_texts, replace_groups
from mosaicmr.config_sources import check_file, check_words, read_names
from mosaicmr.diffusion.base_kind import ORIGIN, require_base, snapshot_folder
from mosaicmr.errors import InputError
from mosaicmr.partition.domains import WHOLE, domain_names
from mosaicmr.sources.safe_paths import require_safe
from mosaicmr.sources.nnunet_files import DATASET, read_labels
from mosaicmr.sources.subjects import SourceSettings, find_subjects, phantom_patients, phantom_subjects
from mosaicmr.synthesis.export_format import ExportFormat
from snakemake.common.configfile import load_configfile
from snakemake.logging import logger as snakemake_logger


def at(*parts):
    """The path of a file of this run: `at("slices", "{shard}.parquet")`."""
    return os.path.join("results", config["run"], *parts)


def tell(sentence):
    """Say something about the cohort, once: not in the processes of the jobs, which read these rules too."""
    if workflow.is_main_process:
        snakemake_logger.info(sentence)


def find_labels():
    """The classes of the cohort: those of the configuration or, where that says so, of dataset.json."""
    if config["cohort"]["label_scheme"] != DATASET:
        return LabelScheme.of_config(config["cohort"])
    labels = read_labels(config["cohort_dir"])
    tell(labels.sentence)
    return LabelScheme.from_records(labels.classes, DATASET)


def find_cohort():
    """The subjects of the cohort by shard, and what is wrong with its names, from file names alone."""
    cohort = config["cohort"]
    if cohort["source"] == "phantom":
        folder, patients = at("phantom"), config["phantom"]["patients"]
        subjects, findings = phantom_subjects(folder, patients, cohort["modalities"]), []
    else:
        settings = SourceSettings.from_config(cohort)
        found = find_subjects(config["cohort_dir"], cohort["modalities"], cohort["label_scheme"], settings)
        subjects, findings = found.subjects, found.findings
        # Snakemake learns its targets only after it has read the rules.
        if workflow.is_main_process and "check_cohort" not in sys.argv:
            found.require(skip=cohort["incomplete"] == "skip")
        tell(found.sentence)
    return assign_shards(subjects, cohort["subjects_per_shard"], cohort["max_shards"]), findings


def check_names():
    """Refuse an `export.like` that is no dataset.json or has other channels now, rather than after the trainings."""
    if config["export"]["like"]:
        header = SliceHeader(config["cohort"]["modalities"], config["cohort"]["pixel_size"], LABELS.classes)
        # Labels wait for the scans, because a class that occurs in none is not exported.
        ExportFormat.like(config["export"]["like"], header, [])


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


def named_paths():
    """The paths that commands of jobs hold, each with its key, but those of the scans, which `find_cohort` looks at."""
    return [
        ("cohort_dir", config["cohort_dir"]),
        ("base.model", config["base"]["model"]),
        ("export.like", config["export"]["like"]),
        ("evaluation.inception_weights", config["evaluation"]["inception_weights"]),
        ("The working directory", Path.cwd()),
        ("The folder of MosaicMR", CHECKOUT),
        *(("The path of --configfile", path) for path in CONFIG_FILES),
    ]


SCHEMA = load_schema(CHECKOUT / "config" / "schema.yaml")
# The sources beside the default. Snakemake passes them to the process of every job, so that all of them agree.
CONFIG_FILES, WORDS = workflow.overwrite_configfiles, workflow.config_settings.config_args or []

# A mistake in the input ends here with one sentence, before any job is planned.
try:
    if workflow.is_main_process:
        for path in [CHECKOUT / "config" / "config.yaml", *CONFIG_FILES]:
            check_file(path)
    replace_groups(config, [*map(load_configfile, CONFIG_FILES), workflow.config_settings.config], SCHEMA)
    read_names(config, WORDS)
    read_texts(config, SCHEMA)
    check_config(config, SCHEMA)
    for key, path in named_paths():
        require_safe(path, key)
    check_words(WORDS)
    SUBJECTS, FINDINGS = find_cohort()
    LABELS = find_labels()
    check_names()
    # A base model in the checkout is found from any working directory; relative, so that a checkout may move.
    if not Path(config["base"]["model"]).exists() and (CHECKOUT / config["base"]["model"]).exists():
        config["base"]["model"] = os.path.relpath(CHECKOUT / config["base"]["model"])
    require_base(config["base"]["model"])
    for path in Path(config["base"]["model"]).rglob("*"):
        require_safe(path, "A file of base.model")
    FETCHED_BASE = snapshot_folder(config["base"])
except InputError as error:
    sys.exit(str(error))

# The model fetched from the hub lies beside the runs, because it serves them all; jobs read it like any other folder.
HUB_MODEL = config["base"]["model"] if FETCHED_BASE else None
if HUB_MODEL:
    config["base"]["model"] = os.path.join("results", FETCHED_BASE)
else:
    config["base"]["revision"] = None

# Variants stay in the order of the file, which is that of tables and figures.
VARIANTS = {name: in_order(variant) for name, variant in config["synthesis"]["variants"].items()}
config.update(in_order(config))
SHARDS = list(SUBJECTS)
PATIENTS = phantom_patients(config["phantom"]["patients"]) if config["cohort"]["source"] == "phantom" else []
# Experts, and synthesis with them, start from the base's U-Net or from its adaptation by adapt_base.
ADAPTED = config["adaptation"]["steps"] > 0
BASE = config["base"] | {"unet": at("base") if ADAPTED else None}
DOMAINS = domain_names(LABELS.classes, config["partition"]["healthy_domains"])
EXPERTS = [*DOMAINS, WHOLE]
BATCHES = [f"b{i:04d}" for i in range(math.ceil(config["layouts"]["slices"] / config["layouts"]["slices_per_batch"]))]
INDEPENDENT = variants_of("independent")
JOINT = variants_of("joint")
SINGLE = variants_of("single")
ARMS = ["real", "real+classical", "real+synthetic", "synthetic"]


wildcard_constraints:
    shard=one_of(SHARDS),
    batch=one_of(BATCHES),
    domain=one_of(EXPERTS),
    variant=one_of(VARIANTS),
    subset=one_of(["floor", "real", *VARIANTS]),
    arm=one_of(ARMS),
    patient=one_of(PATIENTS),

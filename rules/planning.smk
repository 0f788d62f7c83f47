"""Before any job: the checked configuration, the cohort by its names, and the names of a run's parts."""

import math
import sys

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.shards import assign_shards
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.config import check_config, load_schema, read_texts, replace_groups
from mosaicmr.config_sources import check_file, check_words, read_names
from mosaicmr.diffusion.base_kind import require_base, snapshot_folder
from mosaicmr.errors import InputError
from mosaicmr.partition.domains import WHOLE, domain_names
from mosaicmr.sources.nnunet_files import DATASET, read_labels
from mosaicmr.sources.safe_paths import require_safe
from mosaicmr.sources.subjects import Found, SourceSettings, find_subjects, phantom_patients, phantom_subjects
from mosaicmr.synthesis.export_format import ExportFormat
from snakemake.common.configfile import load_configfile
from snakemake.logging import logger as snakemake_logger


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
    """The subjects of the cohort, and what is wrong with its names, from file names alone."""
    cohort = config["cohort"]
    if cohort["source"] == "phantom":
        subjects = phantom_subjects(at("phantom"), config["phantom"]["patients"], cohort["modalities"])
        names = {name: name for name in phantom_patients(config["phantom"]["patients"])}
        return Found(subjects, [], names, 0, "The patients are simulated.")
    settings = SourceSettings.from_config(cohort)
    found = find_subjects(config["cohort_dir"], cohort["modalities"], cohort["label_scheme"], settings)
    # Snakemake learns its targets only after it has read the rules.
    if workflow.is_main_process and "check_cohort" not in sys.argv:
        found.require(skip=cohort["incomplete"] == "skip")
    tell(found.sentence)
    return found


def check_names():
    """Refuse an `export.like` that is no dataset.json or has other channels now, rather than after the trainings."""
    if config["export"]["like"]:
        header = SliceHeader(config["cohort"]["modalities"], config["cohort"]["pixel_size"], LABELS.classes)
        # Labels wait for the scans, because a class that occurs in none is not exported.
        ExportFormat.like(config["export"]["like"], header, [])


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
    FOUND = find_cohort()
    SUBJECTS = assign_shards(FOUND.subjects, config["cohort"]["subjects_per_shard"], config["cohort"]["max_shards"])
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

"""MosaicMR: from annotated brain MR scans to a synthetic data set, its evaluation and its figures.

snakemake --cores 2                                                                        the demo
snakemake --cores 2 --configfile config/brats.yaml --config run=brats cohort_dir=DIR       a real cohort
"""

from snakemake.utils import min_version

min_version("9.0")


configfile: f"{workflow.basedir}/config/config.yaml"


report: "docs/captions/workflow.rst"


include: "rules/common.smk"
include: "rules/planning.smk"
include: "rules/inputs.smk"
include: "rules/cohort.smk"
include: "rules/partition.smk"
include: "rules/prompts.smk"
include: "rules/base.smk"
include: "rules/experts.smk"
include: "rules/synthesis.smk"
include: "rules/evaluation.smk"
include: "rules/segmentation.smk"
include: "rules/prompt_effect.smk"
include: "rules/results.smk"
include: "rules/jobs.smk"


rule all:
    """Make everything of the run: experts, data set, evaluation, figures and report."""
    default_target: True
    input:
        # Named, because Snakemake does not miss a file in the middle of the flow. A failed check leaves no file.
        expand(at("cohort", "checked", "{shard}.parquet"), shard=SHARDS),
        at("cohort", "scans.csv"),
        adapted_files,
        expand(at("experts", "{domain}", "adapter_model.safetensors"), domain=EXPERTS),
        at("summary.json"),
        at("dataset"),
        [at("dataset_bids")] if config["export"]["bids"] else [],
        FIGURES,
        at("report.html"),

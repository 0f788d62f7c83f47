"""Jobs: the state that makes each stale besides its inputs, the trainings that `make progress` shows, failed runs.

Included after all rules, because it adds to each. Snakemake compares the parameters of a job as a set of values:
without their names, a seed that changes from 1 to 24 is not seen where another parameter is 24.
"""

import inspect

from mosaicmr.fingerprint import environment_fingerprint, fingerprint
from mosaicmr.io import save_json
from mosaicmr.monitoring.failures import JobWatcher, mark_failed, report
from mosaicmr.monitoring.overview import EXPECTED
from snakemake.settings.types import RerunTrigger

WATCHER = JobWatcher()
snakemake_logger.addHandler(WATCHER)


def expected_trainings():
    """The trainings of this run, in the order of display: their steps, and an output that proves they are done."""
    adaptation = {"adapt_base/base": {"steps": config["adaptation"]["steps"], "output": "base/adapted.json"}}
    experts = {
        f"finetune_expert/{name}": {"steps": config["experts"]["steps"], "output": f"experts/{name}/expert.json"}
        for name in EXPERTS
    }
    segmenter = config["evaluation"]["segmenter"]
    steps = segmenter["steps"] * len(segmenter["seeds"])
    segmenters = {
        f"train_segmenter/{arm}": {"steps": steps, "output": f"evaluation/segmenter/{arm}.safetensors"} for arm in ARMS
    }
    return (adaptation if ADAPTED else {}) | experts | segmenters


def code_of(rule):
    """The fingerprint of the code that a rule's script runs: an edit of the library then reruns what it can change."""
    return fingerprint(CHECKOUT / "workflow_scripts" / Path(rule.script).name, CHECKOUT / "mosaicmr")


def named_values(params):
    """The function that gives a job's parameters by name, except those made from its input and output."""
    wanted = {name: value for name, value in params.items() if not callable(value) or of_wildcards(value)}

    def values(wildcards):
        return {name: in_order(value(wildcards) if callable(value) else value) for name, value in wanted.items()}

    return values


def of_wildcards(function):
    """Whether a function of a rule asks for the wildcards and nothing else."""
    return list(inspect.signature(function).parameters) == ["wildcards"]


def warn_of_other_triggers():
    """Warn if a profile in the folder from which Snakemake is called has taken the place of profiles/default."""
    if RerunTrigger.CODE in workflow.rerun_triggers:
        snakemake_logger.warning(
            "The profile profiles/default of this checkout is not in use: a comment in a script makes all that follows "
            "from it stale. Call snakemake from another folder, or name that profile with --workflow-profile."
        )


PINS = {path.name: environment_fingerprint(path) for path in sorted((CHECKOUT / "envs").glob("*.yaml"))}
for each in workflow.rules:
    if each.script:
        each.set_params(code=code_of(each))
        each.set_params(
            named=named_values(dict(each.params.items())),
            environment=PINS[Path(each.conda_env).name],
        )


onstart:
    warn_of_other_triggers()
    save_json(at("progress", EXPECTED), expected_trainings())


onerror:
    # The report first: on a full disk nothing can be marked.
    snakemake_logger.error(report(WATCHER.failed()))
    mark_failed(WATCHER.failed(), at("progress"))

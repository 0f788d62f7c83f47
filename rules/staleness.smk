"""Staleness beside that of input files: the values of a job's parameters by name, and the pins of its environment.

Included after all rules, because it adds to each. Snakemake compares the parameters of a job as a set of values: without
their names, a seed that changes from 1 to 24 is not seen where another parameter is 24.
"""

import inspect

from snakemake.logging import logger as snakemake_logger
from snakemake.settings.types import RerunTrigger

from mosaicmr.fingerprint import environment_fingerprint


def named_values(params):
    """The function that gives a job's parameters by name, except those made from its input and output."""
    wanted = {name: value for name, value in params.items() if not callable(value) or of_wildcards(value)}
    return lambda wildcards: {
        name: in_order(value(wildcards) if callable(value) else value) for name, value in wanted.items()
    }


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


for each in workflow.rules:
    if each.script:
        each.set_params(
            named=named_values(dict(each.params.items())),
            environment=environment_fingerprint(CHECKOUT / "envs" / Path(each.conda_env).name),
        )

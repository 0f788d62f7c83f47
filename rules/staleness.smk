"""What makes a job stale beside its input files: the values of its parameters by name, and the pins of its environment.

Included after all rules, because it adds to each. Snakemake compares the parameters of a job as a set of values: without
their names, a seed that changes from 1 to 24 is not seen where another parameter is 24.
"""

from snakemake.io import AnnotatedString

from mosaicmr.fingerprint import environment_fingerprint


def named_values(params):
    """The function that gives a job's parameters by name."""
    return lambda wildcards: {
        name: value(wildcards) if callable(value) else value
        for name, value in params.items()
        if not isinstance(value, AnnotatedString)  # made from input or output paths
    }


for each in workflow.rules:
    if each.script:
        each.set_params(
            named=named_values(dict(each.params.items())),
            environment=environment_fingerprint(CHECKOUT / "envs" / Path(each.conda_env).name),
        )

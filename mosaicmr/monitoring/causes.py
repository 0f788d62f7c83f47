"""The likely cause of a job's failure, from its traces: one sentence with a remedy."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from mosaicmr.stage import INPUT_ERROR

TRAININGS = ("adapt_base", "finetune_expert")  # the rules that go on from a checkpoint


@dataclass(frozen=True)
class Evidence:
    """Facts about a failed job.

    own_log: the tail of the log that its rule names, empty where it wrote none. other: tails of the executor's logs and
    Snakemake's messages about the job. resources: those requested. submitted: False where it belongs to a group of jobs
    that got no number from the cluster.
    """

    rule: str
    own_log: str
    other: str
    resources: dict = field(default_factory=dict)
    submitted: bool = True

    @property
    def text(self) -> str:
        return f"{self.other}\n{self.own_log}"


def likely_cause(evidence: Evidence) -> str:
    """One or two sentences: the most probable cause, and the remedy.

    The first cause of CAUSES with traces is taken. The scheduler's words come before the job's, because it knows why it
    killed the job, and a stated reason comes before a bare kill.
    """
    for pattern, explain in CAUSES:
        found = re.search(pattern, evidence.text, re.MULTILINE)
        if found:
            return explain(found, evidence)
    return _unknown(evidence)


def _sentence(text: str) -> Callable[[re.Match, Evidence], str]:
    return lambda found, evidence: text.format(
        rule=evidence.rule,
        found=found[1] if found.re.groups else "",
        again=_again(evidence.rule),
        memory=_asked(evidence, "mem_mb", "MB"),
        runtime=_asked(evidence, "runtime", "minutes"),
    )


def _again(rule: str) -> str:
    command = "give the same command again"
    return f"{command}, and it goes on from its last checkpoint" if rule in TRAININGS else command


def _asked(evidence: Evidence, name: str, unit: str) -> str:
    value = evidence.resources.get(name)
    return f" (it asked for {value} {unit})" if isinstance(value, int | float) else ""


def _missing_module(found: re.Match, evidence: Evidence) -> str:
    return (
        f"The environment of {evidence.rule} lacks the Python package '{found[1]}': run `make venv`; with --sdm conda, "
        "add it to the environment that the rule names in envs/."
    )


def _exception(found: re.Match, evidence: Evidence) -> str:
    """The last exception of the text: an earlier one may have been handled."""
    last = [match[0] for match in found.re.finditer(evidence.text)][-1]
    return f"The script of {evidence.rule} ended with {last.rstrip('.')}: the traceback in its log says where."


def _unknown(evidence: Evidence) -> str:
    if evidence.own_log:
        return "None is known for these lines: read the whole log."
    if not evidence.submitted:
        return (
            "The cluster did not take the group of jobs that it belongs to, and Snakemake does not repeat why: correct "
            f"account, partition, memory or time of {evidence.rule} in the profile; with `groups` removed from the "
            "profile, the words of sbatch stand here."
        )
    return (
        "It ended before it began its log, most often because its environment lacks a package or its node cannot read "
        "this folder: what it printed stands above, where Snakemake reports the error."
    )


# An exception's last line, e.g. "torch.OutOfMemoryError: CUDA out of memory."; Snakemake's own wrap that of the script.
_EXCEPTION = (
    r"^(?!CalledProcessError|RuleException|WorkflowError|SpawnedJobError)"
    r"(?:\w+\.)*[A-Z]\w*(?:Error|Exception|Interrupt)\b.*"
)
CAUSES: tuple[tuple[str, Callable[[re.Match, Evidence], str]], ...] = (
    (
        r"DUE TO TIME LIMIT|status is: '(?:TIMEOUT|DEADLINE)'",
        _sentence(
            "SLURM ended it at its time limit{runtime}: raise `runtime` of {rule} under set-resources, then {again}."
        ),
    ),
    (
        r"DUE TO NODE FAILURE|status is: '(?:NODE_FAIL|BOOT_FAIL)'",
        _sentence("Its node failed: {again}."),
    ),
    (r"DUE TO PREEMPTION|status is: 'PREEMPTED'", _sentence("SLURM gave its node to another job: {again}.")),
    (
        r"Batch job submission failed: (.+?)['.]*$"
        r"|SLURM (?:sbatch|job submission) failed\. The error message was '?(?:sbatch: error: )?(.+?)['.]*$",
        lambda found, evidence: (
            f"SLURM refused the job ({next(filter(None, found.groups())).strip()}): correct account, partition, gres, "
            f"memory or time of {evidence.rule} in the profile."
        ),
    ),
    (
        r"CUDA out of memory|CUDA error: out of memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED",
        _sentence(
            "The GPU's memory was not enough: lower the batch size that {rule} uses in the configuration, or ask for a "
            "GPU with more memory."
        ),
    ),
    (
        r"oom[-_ ]kill|exceeded (?:job |step )?memory limit"
        r"|status is: 'OUT_OF_MEMORY'|[Oo]ut[- ][Oo]f[- ]?[Mm]emory|MemoryError\b|can't allocate memory"
        r"|Cannot allocate memory",
        _sentence(
            "It needed more memory than there was{memory}: raise `mem_mb` of {rule} under set-resources, or run "
            "fewer jobs at once."
        ),
    ),
    (
        r"No space left on device|Disk quota exceeded",
        _sentence(
            "The disk is full, or its quota is: free space where results/ and the temporary folder lie, then {again}."
        ),
    ),
    (rf"^[\d:]{{8}} {INPUT_ERROR}(.+)", _sentence("{found}")),
    (r"CANCELLED AT|status is: 'CANCELLED", _sentence("It was cancelled, by a person or the cluster: {again}.")),
    (r"No module named '([\w.]+)'", _missing_module),
    (
        r"(?:PermissionError.*?|: )(?:Permission denied|Operation not permitted)(?:: '?([^'\n]+)'?)?",
        lambda found, evidence: (
            f"It may not read or write {found[1] or 'a file'}: give yourself the right to, or choose another folder."
        ),
    ),
    (
        r"FileNotFoundError.*No such file or directory: ['\"]?([^'\"\n]+)",
        _sentence("A file is missing, {found}: restore it, or delete what was made from it, then {again}."),
    ),
    (
        r"completed successfully, but some output files are missing",
        _sentence("It ended well but its outputs did not appear: on a slow network file system raise `latency-wait`."),
    ),
    (
        r"SIGKILL|exit status 137|\bKilled\b",
        _sentence(
            "It was killed from outside (SIGKILL), mostly because memory ran out{memory}: raise `mem_mb` "
            "of {rule} under set-resources, or run fewer jobs at once."
        ),
    ),
    (r"SIGTERM|exit status 143", _sentence("It was asked to end from outside (SIGTERM): {again}.")),
    (
        r"SIGSEGV|SIGBUS|SIGILL|exit status (?:139|135|132)",
        _sentence(
            "A compiled library crashed: check that .venv holds the versions of requirements.lock (`make venv`)."
        ),
    ),
    (_EXCEPTION, _exception),
)

"""Say, stage by stage, which results of a run are fresh, which are stale, and why.

python tools/status.py --cores 1 --configfile config/brats.yaml --config run=brats cohort_dir=DIR

Takes the arguments of `snakemake`, plans the run as it would, and runs nothing.
"""

import ast
import logging
import math
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import snakemake.cli
from snakemake.jobs import Job
from snakemake.workflow import Workflow

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from mosaicmr.fingerprint import import_closure

CHECKOUT = Path(__file__).resolve().parent.parent
REASONS_SHOWN = 4


def report(workflow: Workflow, detailed: bool = False) -> None:
    """Print the table of stages and rules; takes the place of Snakemake's own summary, which lists single files."""
    workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
    workflow._build_dag()
    jobs: dict[str, list[Job]] = {}
    for job in workflow.dag.jobs:
        if not job.rule.norun:
            jobs.setdefault(job.rule.name, []).append(job)
    stale = {rule: [job for job in found if workflow.dag.needrun(job)] for rule, found in jobs.items()}
    stage = None
    print(f"{'stage and rule':34}{'jobs':>6}{'fresh':>7}{'stale':>7}   why")
    for rule in (rule for rule in workflow.rules if rule.name in jobs):
        if Path(str(rule.snakefile)).stem != stage:
            stage = Path(str(rule.snakefile)).stem
            print(stage)
        total, old = len(jobs[rule.name]), len(stale[rule.name])
        lines = [*explain(workflow, stale[rule.name]), *unrecorded(workflow, jobs[rule.name])] or [""]
        print(f"  {rule.name:32}{total:6}{total - old:7}{old:7}   {lines[0]}".rstrip())
        for line in lines[1:]:
            print(f"{'':57}{line}")
    count = sum(map(len, stale.values()))
    print(f"\n{count} of {sum(map(len, jobs.values()))} jobs would run." if count else "\nEverything is fresh.")


def explain(workflow: Workflow, jobs: list[Job]) -> Iterator[str]:
    """Reasons why jobs of one rule would run: the commonest first, with the number of jobs that each holds for."""
    counted: Counter[str] = Counter()
    followed: set[str] = set()
    for job in jobs:
        own = set(reasons(workflow, job))
        counted.update(own)
        if not own:
            followed |= makers(workflow, job, workflow.dag.reason(job).updated_input_run)
    for text, number in counted.most_common(REASONS_SHOWN):
        yield text if number == len(jobs) else f"{text} ({number} of {len(jobs)})"
    if len(counted) > REASONS_SHOWN:
        yield f"and {len(counted) - REASONS_SHOWN} more reasons"
    if followed:
        yield f"follows {', '.join(sorted(followed))}"


def unrecorded(workflow: Workflow, jobs: list[Job]) -> Iterator[str]:
    """The number of outputs without a record of this folder's Snakemake, which takes them as they are."""
    count = sum(
        any(Path(path).exists() and not workflow.persistence.metadata(path) for path in job.output) for job in jobs
    )
    if count:
        yield f"no record of how it was made, taken as it is ({count} of {len(jobs)})"


def reasons(workflow: Workflow, job: Job) -> Iterator[str]:
    """Every reason of its own why a job would run; none for a job that only follows another."""
    reason, records = workflow.dag.reason(job), workflow.persistence
    if reason.forced:
        yield "asked for"
    if reason.incomplete_output:
        yield "was interrupted"
    elif reason.missing_output:
        known = any(records.metadata(path) for path in job.output)
        yield f"its output is gone: {sorted(reason.missing_output)[0]}" if known else "not made yet"
    for path in sorted(reason.updated_input - reason.updated_input_run):
        yield f"changed input {path}"
    if reason.input_changed:
        yield "other input files than last time"
    # Asked of the records: Snakemake leaves it open for a job that runs anyway, because it follows another.
    if records.metadata(job.output[0]) and records.params_changed(job):
        yield from changed_parameters(records.params(job.output[0]) or [], job)


def makers(workflow: Workflow, job: Job, files: set[str]) -> set[str]:
    """The rules that make the input `files` of a job."""
    return {maker.rule.name for maker, made in workflow.dag.dependencies[job].items() if files & set(made)}


def changed_parameters(recorded: list[str], job: Job) -> Iterator[str]:
    """The differences between the parameters that made a job's output and those it has now."""
    if repr(job.params.environment) not in recorded:
        yield f"other packages in envs/{Path(job.rule.conda_env).name}"
    before = next((values for values in map(parse, recorded) if isinstance(values, dict) and "code" in values), {})
    for name, value in job.params.named.items():
        if name == "code" and before.get(name) != value:
            yield f"edited code: {', '.join(edited_files(job)) or 'of its script'}"
        elif before.get(name) != value:
            yield from differences(name, before.get(name), value)


def parse(text: str) -> object:
    """A parameter from Snakemake's record of it; None for what is no Python literal."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def differences(name: str, before: object, now: object) -> Iterator[str]:
    """The values that differ, by their path in nested settings: `settings.steps 50 -> 60`."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}, key=str):
            if before.get(key) != now.get(key):
                yield from differences(f"{name}.{key}", before.get(key), now.get(key))
    else:
        yield f"{name} {before} -> {now}"


def edited_files(job: Job) -> list[str]:
    """Files of the code behind a job's script that were written after its output; a checkout dates them anew.

    None where the output is gone, and with it its date.
    """
    script = CHECKOUT / "workflow_scripts" / f"{job.rule.name}.py"
    made = min((Path(path).stat().st_mtime for path in job.output if Path(path).exists()), default=math.inf)
    closure = [script, *import_closure(script, CHECKOUT / "mosaicmr")]
    newer = sorted((path for path in closure if path.stat().st_mtime > made), key=lambda path: -path.stat().st_mtime)
    return [str(path.relative_to(CHECKOUT)) for path in newer[:REASONS_SHOWN]]


if __name__ == "__main__":
    logging.captureWarnings(True)
    Workflow.summary = report
    snakemake.cli.main(["--snakefile", str(CHECKOUT / "Snakefile"), "--summary", "--quiet", "all", *sys.argv[1:]])

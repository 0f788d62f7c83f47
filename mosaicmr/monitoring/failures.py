"""The report of a failed run: for every failed job its rule, wildcards, last lines of its log and likely cause.

A handler of Snakemake's logger notes the messages about each job. Its records carry rule, wildcards, log files
(under SLURM also SLURM's) and the executor's message as they are, whatever the command line silences.
"""

import json
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mosaicmr.monitoring.causes import Evidence, likely_cause
from mosaicmr.stage import INPUT_ERROR

LAST_LINES = 15
TAIL = 64_000  # bytes at the end of a log that are searched for a cause
SNAKEMAKE_STARTS = "Building DAG of jobs..."
SHOWN = 10  # failed jobs shown at length


# Snakemake reports this failure, of a job without one of its outputs, in words alone.
_NO_OUTPUT = re.compile(r"Job (\d+)\s+completed successfully, but some output files are missing")


@dataclass(frozen=True)
class LogState:
    """State of a log, which changes when the log is written to: time (ns), size (bytes), inode."""

    time: int
    size: int
    inode: int


@dataclass
class Job:
    """A job that Snakemake has started, according to its log records.

    before: the state of each log file when the job started, by which a log of an earlier run is recognised. said: the
    messages of Snakemake and the executor when it failed. failures: number of failed attempts. end: of the log of the
    last attempt. attempts: the kept ends of the logs of earlier attempts.
    """

    rule: str
    wildcards: dict[str, str]
    resources: dict
    logs: list[str]
    before: dict[str, "LogState | None"]
    said: list[str] = field(default_factory=list)
    failures: int = 0
    finished: bool = False
    group: str = ""
    end: str = ""
    attempts: list[Path] = field(default_factory=list)
    external: str = ""

    @property
    def title(self) -> str:
        return ", ".join([self.rule, *(f"{name}={value}" for name, value in self.wildcards.items())])

    def written(self) -> list[Path]:
        """The logs that this job has written to; Snakemake makes an empty log where a job made none."""
        states = {log: _state(log) for log in self.logs}
        return [Path(log) for log, state in states.items() if state and state.size and state != self.before.get(log)]


class JobWatcher(logging.Handler):
    """Handler of Snakemake's logger that records every job that was started and how it ended."""

    def __init__(self):
        super().__init__(logging.INFO)
        self.jobs: dict[int, Job] = {}
        self._errors: dict[int, str] = {}  # by thread: Snakemake prints why just before it reports which job

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._note(record)
        except Exception:
            # As in every handler: an error while noting is printed, and the run goes on.
            self.handleError(record)

    def _note(self, record: logging.LogRecord) -> None:
        event = str(getattr(record, "event", None) or "")
        if event == "job_info":
            self._started(record)
        elif event == "job_finished" and record.job_id in self.jobs:
            self.jobs[record.job_id].finished = True
        elif event == "group_error":
            for info in record.job_error_info:
                self._failed(info["jobid"], record.aux_logs, record.getMessage(), record.__dict__)
                self.jobs[info["jobid"]].group = str(record.groupid)
        elif event == "job_error":
            said = [self._errors.pop(record.thread, ""), str(record.rule_msg or "")]
            self._failed(record.jobid, record.log, "\n".join(said), record.aux)
        elif record.levelno >= logging.ERROR:
            said = record.getMessage()
            self._errors[record.thread] = said
            if missing := _NO_OUTPUT.search(said):
                self._failed(int(missing[1]), [], said, {})

    def failed(self) -> list[Job]:
        """The jobs whose last attempt failed, in the order in which they were started.

        Snakemake calls all jobs of a failed group failed. Where the logs identify the failed job, the others are not
        listed.
        """
        failed = [job for job in self.jobs.values() if job.failures and not job.finished]
        guilty = {job.group for job in failed if job.group and _complains(job)}
        return [job for job in failed if job.group not in guilty or _complains(job)]

    def _started(self, record: logging.LogRecord) -> None:
        earlier = self.jobs.get(record.jobid)
        logs = list(record.log or [])
        self.jobs[record.jobid] = Job(
            rule=record.rule_name,
            wildcards=dict(record.wildcards or {}),
            resources=dict(record.resources.items()) if hasattr(record.resources, "items") else {},
            logs=logs,
            before={log: _state(log) for log in logs},
            failures=earlier.failures if earlier else 0,
            attempts=_keep_attempt(earlier) if earlier else [],
        )

    def _failed(self, number: int, logs: Iterable[str | None], said: str, facts: dict) -> None:
        job = self.jobs.get(number)
        if job is None:
            return
        job.logs += [log for log in logs if log and log not in job.logs]
        if not job.said:  # a job of a group is reported with its group, and then alone
            job.failures += 1
        job.said.append(said)
        own, _ = _logs(job)
        job.end = _tail(own) if own else ""
        job.external = str(facts.get("external_jobid") or job.external)


def report(jobs: list[Job]) -> str:
    """The text that a user reads at the end of a failed run."""
    if not jobs:
        return "The run failed, but no job did: the error above says why."
    parts = [f"{len(jobs)} failed job{'s' if len(jobs) > 1 else ''}:", *map(_describe, jobs[:SHOWN])]
    if len(jobs) > SHOWN:
        parts.append("Also failed:\n" + "\n".join(f"    {job.title}: {cause_of(job)}" for job in jobs[SHOWN:]))
    return "\n\n".join(parts)


def cause_of(job: Job) -> str:
    """The likely cause of a job's failure, with a remedy."""
    own, others = _logs(job)
    return likely_cause(
        Evidence(
            rule=job.rule,
            own_log=_tail(own) if own else "",
            # A job that SLURM itself restarted has the ends of several starts in one log: the last end counts.
            other="\n".join([*job.said, *(_tail(path).rpartition(SNAKEMAKE_STARTS)[2] for path in others)]),
            resources=job.resources,
            submitted=bool(job.external or not job.group),
        )
    )


def mark_failed(jobs: Iterable[Job], folder: str | Path) -> None:
    """Note in the progress records below `folder` that their trainings failed: a job that was killed could not.

    A training that recorded its own failure keeps its words.
    """
    from mosaicmr.io import save_json

    for job in jobs:
        # A rule without wildcards has one training, whatever its record is called.
        name = "_".join(job.wildcards.values())
        path = Path(folder, job.rule, f"{name}.json") if name else next(Path(folder, job.rule).glob("*.json"), Path())
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if not isinstance(record, dict):
            continue
        if record.get("state") == "done":  # of an earlier training: this training failed before it began
            record = {"name": record.get("name"), "step": 0, "steps": record.get("steps")}
        if record.get("state") != "failed":
            save_json(path, {**record, "state": "failed", "message": cause_of(job)})


def _describe(job: Job) -> str:
    facts = [f"{job.failures} attempts"] if job.failures > 1 else []
    facts += [f"job {job.external} of the cluster"] if job.external else []
    lines = [job.title + (f" ({', '.join(facts)})" if facts else "")]
    own, others = _logs(job)
    shown = [own] if own else others[:1]
    for path in shown:
        lines.append(f"  {path} ends with:")
        lines += [f"    | {line}" for line in _tail(path).rstrip().splitlines()[-LAST_LINES:]]
    lines += [f"  See also {path}" for path in [*others, *job.attempts] if path not in shown]
    return "\n".join([*lines, f"  Likely cause: {cause_of(job)}"])


def _keep_attempt(job: Job) -> list[Path]:
    """Keep the end of a failed attempt's log beside the log, which Snakemake deletes before the next attempt."""
    if not job.end:
        return job.attempts
    log = next(iter(job.before))
    path = Path(f"{log}.attempt{job.failures}")
    path.write_text(job.end, encoding="utf-8")
    return [*job.attempts, path]


def _complains(job: Job) -> bool:
    own, _ = _logs(job)
    return own is not None and re.search(rf"^Traceback|^[\d:]{{8}} {INPUT_ERROR}", _tail(own), re.MULTILINE) is not None


def _logs(job: Job) -> tuple[Path | None, list[Path]]:
    """The log that the rule names, if this job wrote it, and the executor's logs."""
    written = job.written()
    own = next((path for path in written if str(path) in job.before), None)
    return own, [path for path in written if str(path) not in job.before]


def _state(log: str) -> LogState | None:
    try:
        found = Path(log).stat()
    except OSError:
        return None
    return LogState(found.st_mtime_ns, found.st_size, found.st_ino)


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            return file.read().decode("utf-8", errors="replace")
    except OSError as error:
        return f"({path} cannot be read: {error.strerror})"

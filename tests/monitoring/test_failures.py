"""The report at the end of a failed run, from workflows whose jobs really fail."""

import json
import logging
import re
from pathlib import Path

import pytest
from snakemake.iocontainers import Namedlist
from snakemake_interface_logger_plugins.common import LogEvent

from mosaicmr.monitoring.failures import Job, JobWatcher, mark_failed, report
from tests.support.failing_workflow import run_failing

CAUSES = {
    "input": "config.yaml has 7 in seed: expected a name; give one.",
    "traceback": "The script of fail ended with ZeroDivisionError: one by none: the traceback in its log says where.",
    "missing": "A file is missing, no_such_file.txt: restore it",
    "permission": "It may not read or write /sys/kernel/nothing: ",
    "disk": "The disk is full, or its quota is: free space",
    "memory": "It needed more memory than there was (it asked for 300 MB): raise `mem_mb` of fail",
    "kill": "It was killed from outside (SIGKILL), mostly because memory ran out (it asked for 300 MB): raise `mem_mb`",
    "term": "It was asked to end from outside (SIGTERM): give the same command again.",
    "crash": "A compiled library crashed",
    "silent": "It ended well but its outputs did not appear",
    "module": "It ended before it began its log",
}


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The report on each job, from one run in which all fail; 'module' has a log of an earlier run."""
    folder = tmp_path_factory.mktemp("failing")
    (folder / "logs").mkdir()
    (folder / "logs" / "module.log").write_text("05:00:00 error: an old reason.\n")
    output = run_failing(folder, *CAUSES)
    end = output[output.index(f"{len(CAUSES)} failed jobs:") :]
    return {failure: paragraph(end, failure) for failure in CAUSES}


def paragraph(end: str, failure: str) -> str:
    """The lines about one job."""
    lines = end[end.index(f"fail, failure={failure}") :].splitlines()
    last = next(number for number, line in enumerate(lines) if number and not line.startswith(" "))
    return "\n".join(lines[:last]) if last > 1 else lines[0]


@pytest.mark.parametrize("failure", CAUSES)
def test_a_failed_job_is_named_with_its_likely_cause(ends: dict[str, str], failure: str):
    cause = re.search(r"(?:Likely cause: |^fail, failure=\w+: )(.*)", ends[failure])
    assert cause, ends[failure]
    assert cause[1].startswith(CAUSES[failure])


def test_the_last_lines_of_the_log_are_shown(tmp_path: Path):
    # In a run of its own: of many failures the last to start are told in a line each, and any may be the last.
    output = run_failing(tmp_path, "input")
    end = paragraph(output[output.index("1 failed job:") :], "input")
    head, log, *lines, cause = end.splitlines()
    assert head == "fail, failure=input"
    assert log == "  logs/input.log ends with:"
    assert len(lines) == 15
    assert lines[-2].endswith("line 39")
    assert lines[-1].endswith("error: config.yaml has 7 in seed: expected a name; give one.")
    assert cause.startswith("  Likely cause")


def test_the_log_of_an_earlier_run_is_not_taken_for_that_of_the_job(ends: dict[str, str]):
    assert "an old reason" not in ends["module"]
    assert "ends with" not in ends["module"]


def test_silenced_output_still_ends_with_the_failures(tmp_path: Path):
    output = run_failing(tmp_path, "input", options=("--quiet", "rules", "progress"))
    assert "Error in rule" not in output
    assert CAUSES["input"] in paragraph(output[output.index("1 failed job:") :], "input")


def test_a_job_that_was_tried_again_is_told_once_with_its_attempts(tmp_path: Path):
    output = run_failing(tmp_path, "traceback", options=("--retries", "1"))
    end = output[output.index("1 failed job:") :]
    assert end.count("fail, failure=traceback (2 attempts)") == 1
    assert "  See also logs/traceback.log.attempt1\n" in end
    assert "ZeroDivisionError" in (tmp_path / "logs" / "traceback.log.attempt1").read_text()


def test_the_job_of_a_group_that_failed_is_told_apart(tmp_path: Path):
    """A group runs in a Snakemake of its own, whose end the executor reports for all of the group's jobs."""
    job = failed_job(tmp_path, "error: bad file a.nii.gz.", group="0")
    other = failed_job(tmp_path, "12 of 12 done", name="other", group="0")
    watcher = JobWatcher()
    watcher.jobs = {1: other, 2: job}
    assert watcher.failed() == [job]


def test_a_job_of_slurm_is_told_with_its_number_and_the_log_of_slurm(tmp_path: Path):
    """The records are those that Snakemake's SLURM executor makes Snakemake write."""
    own, slurm = tmp_path / "oedema.log", tmp_path / "12.log"
    watcher = JobWatcher()
    facts = {"jobid": 3, "rule_name": "finetune_expert", "log": [str(own)], "wildcards": {"domain": "oedema"}}
    watcher.handle(
        logging.makeLogRecord({**facts, "event": LogEvent.JOB_INFO, "resources": Namedlist(fromdict={"runtime": 720})})
    )
    own.write_text("05:36:12 expert oedema: step 7 of 9\n")
    starts = ["Building DAG of jobs...\nslurmstepd: error: *** JOB 12 ON n1 CANCELLED AT now DUE TO PREEMPTION ***\n"]
    starts += ["Building DAG of jobs...\nslurmstepd: error: *** JOB 12 ON n2 CANCELLED AT now DUE TO TIME LIMIT ***\n"]
    slurm.write_text("".join(starts))
    facts |= {"log": [str(own), str(slurm)], "rule_msg": "SLURM-job '12' failed, SLURM status is: 'FAILED'."}
    facts |= {"aux": {"external_jobid": "12"}, "event": LogEvent.JOB_ERROR}
    watcher.handle(logging.makeLogRecord(facts))
    assert report(watcher.failed()).splitlines()[2:] == [
        "finetune_expert, domain=oedema (job 12 of the cluster)",
        f"  {own} ends with:",
        "    | 05:36:12 expert oedema: step 7 of 9",
        f"  See also {slurm}",
        "  Likely cause: SLURM ended it at its time limit (it asked for 720 minutes): raise `runtime` of "
        "finetune_expert under set-resources, then give the same command again, and it goes on from its last "
        "checkpoint.",
    ]
    watcher.handle(logging.makeLogRecord({"event": LogEvent.JOB_FINISHED, "job_id": 3}))
    assert watcher.failed() == []


def failed_job(folder: Path, line: str, name: str = "oedema", said: str = "", group: str = "") -> Job:
    """A job that wrote one line into its log before it failed."""
    log = folder / f"{name}.log"
    log.write_text(f"05:36:12 {line}\n")
    job = Job("finetune_expert", {"domain": name}, {"runtime": 720}, [str(log)], {str(log): None}, group=group)
    job.said, job.failures = [said], 1
    return job


def test_many_failures_are_shown_in_short(tmp_path: Path):
    text = report([failed_job(tmp_path, "error: no.", name=f"e{number:02}") for number in range(13)])
    assert text.startswith("13 failed jobs:")
    assert text.count("ends with") == 10
    assert "    finetune_expert, domain=e12: no." in text


def test_a_killed_training_is_marked_failed_and_one_that_spoke_keeps_its_words(tmp_path: Path):
    records = {"oedema": {"state": "running", "step": 7}, "necrosis": {"state": "failed", "message": "InputError: no."}}
    for name, record in records.items():
        path = tmp_path / "finetune_expert" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record))
    said = "SLURM-job '8' failed, SLURM status is: 'TIMEOUT'."
    (tmp_path / "finetune_expert" / "healthy1.json").write_text(json.dumps({"state": "done", "step": 9, "steps": 9}))
    names = [*records, "healthy1", "whole"]  # the last one never began, and has no record
    mark_failed([failed_job(tmp_path, "step 7", name=name, said=said) for name in names], tmp_path)
    marked, kept = (json.loads((tmp_path / "finetune_expert" / f"{name}.json").read_text()) for name in records)
    assert (marked["state"], marked["step"]) == ("failed", 7)
    assert marked["message"].startswith("SLURM ended it at its time limit (it asked for 720 minutes)")
    assert kept == records["necrosis"]
    again = json.loads((tmp_path / "finetune_expert" / "healthy1.json").read_text())
    assert (again["state"], again["step"], again["steps"]) == ("failed", 0, 9)
    assert not (tmp_path / "finetune_expert" / "whole.json").exists()


def test_a_training_without_wildcards_is_marked_failed_by_the_one_record_of_its_rule(tmp_path: Path):
    job = Job("adapt_base", {}, {}, [], {}, failures=1)
    mark_failed([job], tmp_path)  # it never began, and has no record
    path = tmp_path / "adapt_base" / "base.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"state": "running", "step": 7}))
    mark_failed([job], tmp_path)
    record = json.loads(path.read_text())
    assert (record["state"], record["step"]) == ("failed", 7)

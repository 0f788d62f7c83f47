"""A tiny workflow whose jobs really fail, each in a way of its own; it watches them as rules/jobs.smk does."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.workflow import CHECKOUT

SNAKEFILE = """
import logging
from mosaicmr.monitoring.failures import JobWatcher, report
from snakemake.logging import logger as snakemake_logger

WATCHER = JobWatcher()
snakemake_logger.addHandler(WATCHER)
FAILURES = {failures}


onerror:
    snakemake_logger.error(report(WATCHER.failed()))


rule all:
    default_target: True
    input:
        expand("{{failure}}.out", failure=FAILURES),


rule fail:
    output:
        "{{failure}}.out",
    log:
        "logs/{{failure}}.log",
    resources:
        mem_mb=300,
        runtime=5,
    script:
        "fail.py"
"""
SCRIPT = """
import os, resource, signal

failure = snakemake.wildcards.failure
if failure == "module":
    import a_module_that_nobody_has

from mosaicmr.errors import InputError
from mosaicmr.stage import logger, stage


def fail():
    for line in range(40):
        logger.info("line %d", line)
    if failure == "input":
        raise InputError("config.yaml has 7 in seed: expected a name; give one.")
    if failure == "traceback":
        raise ZeroDivisionError("one by none")
    if failure == "missing":
        open("no_such_file.txt")
    if failure == "permission":
        open("/sys/kernel/nothing", "w")  # not even root may
    if failure == "disk":
        with open("/dev/full", "w") as file:
            file.write("x" * 10_000_000)
    if failure == "memory":
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        bytearray(1 << 32)
    if failure in ("kill", "term", "crash"):
        names = dict(kill=signal.SIGKILL, term=signal.SIGTERM, crash=signal.SIGSEGV)
        os.kill(os.getpid(), names[failure])
    if failure == "silent":
        return  # and writes no output


with stage(snakemake.log[0]):
    fail()
"""


def run_failing(directory: Path, *failures: str, options: tuple[str, ...] = ()) -> str:
    """Run one job for each of the named failures, to the end, and return what Snakemake printed."""
    (directory / "Snakefile").write_text(SNAKEFILE.format(failures=list(failures)))
    (directory / "fail.py").write_text(SCRIPT)
    command = ["timeout", "-s", "KILL", "300", sys.executable, "-m", "snakemake", "--cores", "2", "--keep-going"]
    run = subprocess.run(
        [*command, "--latency-wait", "1", *options],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert run.returncode == 1, run.stdout[-4000:]
    return run.stdout

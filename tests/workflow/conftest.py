"""One finished tiny run, shared by the tests that look at it."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.planner import Planner, PlanServer
from tests.support.workflow import copy_checkout, snakemake


@dataclass(frozen=True)
class TinyRun:
    """A finished run of config/tiny.yaml: the folder it ran in, what Snakemake said, and how to call it again.

    The folder is a checkout of its own, so that a test may edit its code, and has to mend it again.
    """

    directory: Path
    output: str

    @property
    def results(self) -> Path:
        return self.directory / "results" / "tiny"

    def again(self, *arguments: str, config: tuple[str, ...] = ()) -> CompletedProcess:
        """Call Snakemake once more on the same run, with more of `--config`."""
        words = (*arguments, "--config", "base={model: base}", *config)
        return snakemake(self.directory, *words, configs=["tiny"], checkout=self.directory)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, base: Path) -> TinyRun:
    """The whole workflow on the tiny configuration; minutes. Each process of pytest-xdist has a copy of one run."""
    session = tmp_path_factory.getbasetemp()
    shared = (session.parent if "PYTEST_XDIST_WORKER" in os.environ else session) / "tiny-run"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "output.txt").exists():
            (shared / "output.txt").write_text(run_tiny(shared / "checkout", base), encoding="utf-8")
    # With its dates and Snakemake's records, so that nothing in it is stale.
    directory = shutil.copytree(shared / "checkout", tmp_path_factory.mktemp("tiny") / "checkout", symlinks=True)
    return TinyRun(directory, (shared / "output.txt").read_text(encoding="utf-8"))


def run_tiny(directory: Path, base: Path) -> str:
    """Run config/tiny.yaml in a checkout of its own, and return what Snakemake said."""
    shutil.rmtree(directory, ignore_errors=True)  # of an attempt that failed
    directory.mkdir()
    copy_checkout(directory)
    shutil.copytree(base, directory / "base")
    config = ["--config", "base={model: base}"]
    run = snakemake(directory, *config, configs=["tiny"], timeout=1800, checkout=directory)
    assert run.returncode == 0, run.stdout[-6000:]
    return run.stdout


@pytest.fixture(scope="session")
def plan_server() -> Iterator[PlanServer]:
    """Dry runs of the workflow, in seconds."""
    with PlanServer() as server:
        yield server


@pytest.fixture(scope="session")
def planner(tiny_run: TinyRun, plan_server: PlanServer) -> Planner:
    """A planner of the jobs that the finished tiny run would run again, after an edit."""
    return Planner(plan_server, tiny_run.directory)

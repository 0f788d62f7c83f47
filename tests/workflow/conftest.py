"""One finished tiny run, shared by the tests that look at it."""

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
    """The whole workflow on the tiny configuration; minutes."""
    directory = copy_checkout(tmp_path_factory.mktemp("tiny"))
    shutil.copytree(base, directory / "base")
    config = ["--config", "base={model: base}"]
    run = snakemake(directory, *config, configs=["tiny"], timeout=1800, checkout=directory)
    assert run.returncode == 0, run.stdout[-6000:]
    return TinyRun(directory, run.stdout)


@pytest.fixture(scope="session")
def plan_server() -> Iterator[PlanServer]:
    """Dry runs of the workflow, in seconds."""
    with PlanServer() as server:
        yield server


@pytest.fixture(scope="session")
def planner(tiny_run: TinyRun, plan_server: PlanServer) -> Planner:
    """A planner of the jobs that the finished tiny run would run again, after an edit."""
    return Planner(plan_server, tiny_run.directory)

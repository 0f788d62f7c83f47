"""One finished tiny run, shared by the tests that look at it."""

from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.tiny_models import make_tiny_base, make_tiny_stable_diffusion
from tests.support.workflow import snakemake


@dataclass(frozen=True)
class TinyRun:
    """A finished run of config/tiny.yaml: the folder it ran in, what Snakemake said, and how to call it again."""

    directory: Path
    output: str

    @property
    def results(self) -> Path:
        return self.directory / "results" / "tiny"

    def again(self, *arguments: str, config: tuple[str, ...] = ()) -> CompletedProcess:
        """Call Snakemake once more on the same run, with more of `--config`."""
        return snakemake(self.directory, *arguments, "--config", "base={model: base}", *config, configs=["tiny"])


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base in the bundled format with random weights."""
    return make_tiny_base(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="session")
def tiny_stable_diffusion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion folder with random weights."""
    return make_tiny_stable_diffusion(tmp_path_factory.mktemp("models") / "stable-diffusion")


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """The whole workflow on the tiny configuration; minutes."""
    directory = tmp_path_factory.mktemp("tiny")
    make_tiny_base(directory / "base")
    run = snakemake(directory, "--config", "base={model: base}", configs=["tiny"], timeout=1800)
    assert run.returncode == 0, run.stdout[-6000:]
    return TinyRun(directory, run.stdout)

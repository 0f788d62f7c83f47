"""An environment built from nothing but its own pins runs the scripts of its rules: all that they import is there."""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.support.environments import (
    CHECKOUT,
    ENVIRONMENTS,
    JOBS,
    RULES,
    environment_of,
    files_of,
    pins,
    post_deploy_script,
    runs_snakemake,
    script_of,
)
from tests.support.fresh_environment import clean_variables, make_environment

pytestmark = pytest.mark.envs

# torch's CUDA build brings them, and torch itself says which versions.
OF_CUDA = re.compile(r"nvidia-|cuda-|triton$")


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def fresh(request: pytest.FixtureRequest) -> Iterator[tuple[str, Path]]:
    """The name of an environment, and where it was built; one at a time, because each takes gigabytes."""
    with tempfile.TemporaryDirectory(prefix="mosaicmr-envs-") as folder:
        prefix = Path(folder) / request.param
        make_environment(CHECKOUT / "envs" / f"{request.param}.yaml", prefix)
        script = post_deploy_script(request.param)
        if script:
            # A wheel in pip's cache would hide a build that fails.
            variables = clean_variables(prefix) | {"PIP_NO_CACHE_DIR": "1"}
            subprocess.run(["bash", str(script)], check=True, env=variables)
        yield request.param, prefix


def run(prefix: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Call an environment's Python, which sees neither the folder nor the variables that it is called from."""
    command = [str(prefix / "bin" / "python"), "-I", *arguments]
    return subprocess.run(
        command, env=clean_variables(prefix), cwd=prefix, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def rules_of(environment: str) -> list[str]:
    """The rules that name an environment."""
    return [rule for rule in JOBS if environment_of(RULES[rule]) == environment]


def test_it_holds_its_pins_and_nothing_else(fresh: tuple[str, Path]):
    environment, prefix = fresh
    listed = json.loads(run(prefix, "-m", "pip", "list", "--format", "json").stdout.splitlines()[0])
    held = {canonicalize_name(entry["name"]): entry["version"].split("+")[0] for entry in listed}
    assert {name: held[name] for name in held if name != "pip" and not OF_CUDA.match(name)} == pins(environment)


def test_all_that_the_scripts_of_its_rules_import_is_there(fresh: tuple[str, Path]):
    environment, prefix = fresh
    files = sorted({str(file) for rule in rules_of(environment) for file in files_of(rule)})
    assert files
    tried = run(prefix, str(CHECKOUT / "tests" / "support" / "import_everything.py"), str(CHECKOUT), *files)
    assert tried.returncode == 0, tried.stdout
    assert f"{len(files)} files tried" in tried.stdout


def test_the_scripts_of_its_rules_that_run_snakemake_can(fresh: tuple[str, Path], tmp_path: Path):
    environment, prefix = fresh
    command = ["-m", "snakemake", "--snakefile", str(CHECKOUT / "Snakefile"), "--directory", str(tmp_path), "--dry-run"]
    command += ["--cores", "1", "--configfile", str(CHECKOUT / "config" / "tiny.yaml")]
    for _ in filter(runs_snakemake, map(script_of, rules_of(environment))):
        planned = run(prefix, *command)
        assert planned.returncode == 0, planned.stdout
        assert "Job stats" in planned.stdout

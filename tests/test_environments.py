"""Versions agree everywhere, every rule names an environment, and it holds what the rule's script needs, no more."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.environments import (
    CHECKOUT,
    ENVIRONMENTS,
    JOBS,
    RULES,
    environment_of,
    files_of,
    imported_packages,
    pins,
    rules_in,
    runs_snakemake,
    script_of,
)
from tools import lock

# Packages that scripts use and do not import.
READS_PARQUET = {"pyarrow"}  # for pandas
RUNS_SNAKEMAKE = {"snakemake", "pygments"}  # a report colours code with Pygments
BUILDS_PYRADIOMICS = {"cython", "setuptools", "versioneer", "wheel"}


def locked() -> dict[str, str]:
    return lock.read_lock()


def direct_dependencies() -> set[str]:
    project = lock.read_project()
    groups = project["dependency-groups"].values()
    texts = [*project["project"]["dependencies"], *(text for group in groups for text in group)]
    return {canonicalize_name(Requirement(text).name) for text in texts}


def named(environment: str) -> set[str]:
    """The packages that pyproject.toml names for an environment."""
    return {canonicalize_name(name) for name in lock.environment_needs(lock.read_project())[environment]}


def used(rule: str) -> set[str]:
    """The packages that a rule's script imports anywhere, and those that it needs without importing them."""
    packages = imported_packages(*files_of(rule)) | READS_PARQUET
    if runs_snakemake(script_of(rule)):
        packages |= RUNS_SNAKEMAKE
    return packages | BUILDS_PYRADIOMICS if "pyradiomics" in packages else packages


def test_the_lock_holds_one_exact_version_of_every_direct_dependency():
    assert direct_dependencies() <= set(locked())
    assert all(re.fullmatch(r"\d[\w.]*", version) for version in locked().values())


def test_everything_imported_is_a_direct_dependency():
    rooms = ("mosaicmr", "workflow_scripts", "tools", "benchmarks")
    files = [path for room in rooms for path in (CHECKOUT / room).rglob("*.py")]
    own = {path.stem for room in ("tools", "benchmarks") for path in (CHECKOUT / room).glob("*.py")}
    assert imported_packages(*files) - own - {"packaging"} <= direct_dependencies()


def test_pyproject_and_the_folder_name_the_same_environments():
    assert sorted(lock.environment_needs(lock.read_project())) == ENVIRONMENTS


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_has_the_versions_of_the_lock(environment: str):
    assert pins(environment)
    assert {name: locked().get(name) for name in pins(environment)} == pins(environment)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_is_what_make_lock_writes(environment: str):
    content = yaml.safe_load((CHECKOUT / "envs" / f"{environment}.yaml").read_text())
    if f"python={sys.version_info.major}.{sys.version_info.minor}" not in content["dependencies"]:
        pytest.skip("what packages need depends on Python, and the environments are for another than this one")
    needs = lock.closure(lock.environment_needs(lock.read_project())[environment])
    assert pins(environment) == {name: locked()[name] for name in needs}
    assert (CHECKOUT / "envs" / f"{environment}.yaml").read_text() == lock.environment_text(environment, needs)


def test_what_pip_cannot_install_from_a_list_is_in_a_post_deploy_script():
    for environment in ENVIRONMENTS:
        script = lock.post_deploy_text(environment, locked()) or ""
        after = {canonicalize_name(name) for name in re.findall(r"([\w.-]+)==", script)}
        assert after == named(environment) & lock.AFTER_THE_OTHERS


def test_every_rule_is_found():
    texts = [path.read_text() for path in (CHECKOUT / "rules").glob("*.smk")]
    assert len(JOBS) == sum(len(re.findall(r"^ *script:$", text, re.MULTILINE)) for text in texts) > 30


@pytest.mark.parametrize("rule", JOBS)
def test_a_rule_names_an_environment_that_holds_what_its_script_imports(rule: str):
    environment = environment_of(RULES[rule])
    assert environment in ENVIRONMENTS, f"{rule} names no environment of envs/"
    assert f'"../workflow_scripts/{rule}.py"' in RULES[rule]
    assert used(rule) <= named(environment)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_names_nothing_that_no_script_of_its_rules_uses(environment: str):
    rules = [rule for rule in JOBS if environment_of(RULES[rule]) == environment]
    assert named(environment) == set().union(*map(used, rules))


def test_a_rule_without_an_environment_and_a_lazy_import_are_seen(tmp_path: Path):
    named_by_one = 'rule bare:\n    script:\n        "bare.py"\n\n\nrule next:\n    conda:\n        "../envs/a.yaml"\n'
    rules = rules_in(named_by_one)
    assert list(rules) == ["bare", "next"]
    assert environment_of(rules["bare"]) is None
    assert environment_of(rules["next"]) == "a"
    script = tmp_path / "script.py"
    script.write_text("def main():\n    if True:\n        from skimage.measure import label\n    import yaml.nodes\n")
    assert imported_packages(script) == {"scikit-image", "pyyaml"}


@pytest.mark.workflow
def test_the_dockerfile_is_what_make_lock_writes_and_installs_every_environment():
    path = CHECKOUT / "docs" / "Dockerfile"
    command = [sys.executable, "tools/dockerfile.py"]
    made = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert path.read_text() == made.stdout
    for environment in ENVIRONMENTS:
        prefix = re.search(rf"COPY envs/{environment}\.yaml (\S+)/environment\.yaml", made.stdout)[1]
        assert f"conda env create --prefix {prefix} --file {prefix}/environment.yaml" in made.stdout
    scripts = {path.name for path in (CHECKOUT / "envs").glob("*.post-deploy.sh")}
    assert set(re.findall(r"COPY envs/(\S+\.sh)", made.stdout)) == scripts


def test_importing_everything_sees_an_import_inside_a_function(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text("import json\n\n\ndef main():\n    from json import no_such_name\n    import no_such_package\n")
    tool = CHECKOUT / "tests" / "support" / "import_everything.py"
    tried = subprocess.run([sys.executable, "-I", tool, tmp_path, script], capture_output=True, text=True, check=False)
    assert tried.returncode == 1
    assert re.findall(r"script\.py:(\d+): ", tried.stdout) == ["5", "6"]

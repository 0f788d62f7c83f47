"""Versions agree everywhere, every rule names an environment, and it holds what the rule's script imports."""

import ast
import functools
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from mosaicmr.fingerprint import import_closure

CHECKOUT = Path(__file__).resolve().parent.parent
RULES = {
    match[1]: match[0]
    for path in sorted((CHECKOUT / "rules").glob("*.smk"))
    for match in re.finditer(r"^ *rule (\w+):\n(?:(?!^ *rule ).*\n?)*", path.read_text(), re.MULTILINE)
}
# Only target rules have no script, and then nothing to run.
JOBS = sorted(name for name, text in RULES.items() if "script:" in text or "shell:" in text)
ENVIRONMENTS = sorted(path.stem for path in (CHECKOUT / "envs").glob("*.yaml"))


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def lock() -> dict[str, str]:
    lines = (CHECKOUT / "requirements.lock").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def pins(environment: str) -> dict[str, str]:
    content = yaml.safe_load((CHECKOUT / "envs" / f"{environment}.yaml").read_text())
    pip = next(entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict))
    return {canonical(name): version for name, version in (line.split("==") for line in pip)}


@functools.cache
def providers() -> dict[str, list[str]]:
    return dict(packages_distributions())


@functools.cache
def imported_modules(file: Path) -> frozenset[str]:
    """Top-level names of other people's modules that a file imports anywhere."""
    modules = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            modules.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.add(node.module.split(".")[0])
    return frozenset(modules - set(sys.stdlib_module_names) - {"mosaicmr", "tests"})


def imported_packages(*files: Path) -> set[str]:
    """Distributions of other people's modules that the files import anywhere."""
    modules = frozenset().union(*map(imported_modules, files))
    return {canonical(providers().get(module, [module])[0]) for module in modules}


def direct_dependencies() -> set[str]:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    groups = project["dependency-groups"].values()
    texts = [*project["project"]["dependencies"], *(text for group in groups for text in group)]
    return {canonical(re.match(r"[\w.-]+", text)[0]) for text in texts}


def test_the_lock_holds_one_exact_version_of_every_direct_dependency():
    assert direct_dependencies() <= set(lock())
    assert all(re.fullmatch(r"\d[\w.]*", version) for version in lock().values())


def test_everything_imported_is_a_direct_dependency():
    files = [
        path
        for room in ("mosaicmr", "workflow_scripts", "tools", "benchmarks")
        for path in (CHECKOUT / room).rglob("*.py")
    ]
    assert imported_packages(*files) - {"packaging"} <= direct_dependencies()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_has_the_versions_of_the_lock(environment: str):
    locked = lock()
    assert pins(environment)
    assert {name: locked.get(name) for name in pins(environment)} == pins(environment)


@pytest.mark.parametrize("rule", JOBS)
def test_a_rule_names_an_environment_that_holds_what_its_script_imports(rule: str):
    text = RULES[rule]
    environment = re.search(r'conda:\s+"\.\./envs/(\w+)\.yaml"', text)
    assert environment, f"{rule} names no environment"
    script = CHECKOUT / "workflow_scripts" / f"{rule}.py"
    assert f'"../workflow_scripts/{rule}.py"' in text
    assert f'code=code("{rule}")' in text
    missing = imported_packages(script, *import_closure(script, CHECKOUT / "mosaicmr")) - set(pins(environment[1]))
    assert not missing

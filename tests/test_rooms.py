"""The rooms of the library: each imports only from rooms before it, so that none can lean on what it serves."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

GROUND = ("errors", "io", "seeds", "stage", "config", "fingerprint", "device")
# In the order of CONTRIBUTING.md.
ROOMS = (
    "monitoring",
    "cohort",
    "simulation",
    "partition",
    "prompts",
    "diffusion",
    "training",
    "pretraining",
    "synthesis",
    "evaluation",
    "segmentation",
    "figures",
)
MOST_MODULES = 20


def imported(path: Path) -> set[str]:
    """The library's modules that a file imports, as dotted names without `mosaicmr`."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {node.module.removeprefix("mosaicmr.") for node in nodes if (node.module or "").startswith("mosaicmr.")}


def modules(checkout: Path) -> dict[str, set[str]]:
    """The library's modules that each of its modules imports."""
    library = checkout / "mosaicmr"
    files = [path for path in library.rglob("*.py") if path.name != "__init__.py"]
    return {".".join(path.relative_to(library).with_suffix("").parts): imported(path) for path in files}


def rank(module: str) -> int:
    """The place of a module's room, 0 for the ground."""
    room = module.split(".")[0]
    return 0 if room in GROUND else 1 + ROOMS.index(room)


def test_a_room_imports_only_from_rooms_before_it(checkout: Path):
    upward = [(module, other) for module, names in modules(checkout).items() for other in names
              if rank(other) > rank(module)]  # fmt: skip
    assert not upward


def test_synthesis_needs_no_training_code(checkout: Path):
    needed = {name.split(".")[0] for module, names in modules(checkout).items()
              if module.startswith("synthesis.") for name in names}  # fmt: skip
    assert not needed & {"training", "pretraining"}


def test_no_two_modules_import_each_other(checkout: Path):
    graph = modules(checkout)

    def reach(module: str, seen: set[str]) -> set[str]:
        for other in graph.get(module, set()) - seen:
            seen.add(other)
            reach(other, seen)
        return seen

    assert not [module for module in graph if module in reach(module, set())]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_small_and_says_what_it_is(room: str, checkout: Path):
    folder = checkout / "mosaicmr" / room
    assert len(list(folder.glob("*.py"))) - 1 <= MOST_MODULES
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))


def test_contributing_shows_the_rooms_in_their_order(checkout: Path):
    rows = [line for line in (checkout / "CONTRIBUTING.md").read_text().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(ROOMS)


@pytest.mark.parametrize("module", ["cohort.sources", "diffusion.base_kind", "partition.domains", "config"])
def test_planning_imports_no_torch(module: str):
    code = f"import sys, mosaicmr.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""The rooms of the library: each imports only from rooms before it, so that none can lean on what it serves."""

import ast
import subprocess
import sys

import pytest

from tests.support.workflow import CHECKOUT

GROUND = ("errors", "io", "seeds", "stage", "config", "config_sources", "fingerprint", "device")
# In the order of CONTRIBUTING.md.
ROOMS = (
    "monitoring",
    "scans",
    "cohort",
    "sources",
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
LIBRARY = CHECKOUT / "mosaicmr"
PLANNING = [CHECKOUT / "Snakefile", *sorted((CHECKOUT / "rules").glob("*.smk"))]


def imported(code: str, package: str = "") -> set[str]:
    """The dotted names, without `mosaicmr`, of all that code in `package` (dotted) imports from the library.

    A name that is imported from a module counts beside the module, because it may be a module itself.
    """
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            module = ".".join([*parents, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("mosaicmr.") for name in found if name.startswith("mosaicmr.")}


def modules() -> dict[str, set[str]]:
    """The library's modules, packages among them, that each of its modules imports."""
    graph = {}
    for path in LIBRARY.rglob("*.py"):
        parts = path.relative_to(LIBRARY).with_suffix("").parts
        package = ".".join(("mosaicmr", *parts[:-1]))
        graph[".".join(part for part in parts if part != "__init__")] = imported(path.read_text(), package)
    return {name: {other for other in names if other in graph} for name, names in graph.items()}


def rank(module: str) -> int:
    """The place of a module's room, 0 for the ground and the library itself."""
    room = module.split(".")[0]
    return 0 if room in ("", *GROUND) else 1 + ROOMS.index(room)


@pytest.mark.parametrize(
    "code",
    [
        "import mosaicmr.figures.grid",
        "import mosaicmr.figures.grid as grid",
        "from mosaicmr.figures.grid import draw_grid",
        "from mosaicmr.figures import grid",
        "from ..figures.grid import draw_grid",
        "from ..figures import grid",
        "def late():\n    from mosaicmr.figures import grid",
    ],
)
def test_every_form_of_import_is_seen(code: str):
    assert "figures.grid" in imported(code, "mosaicmr.cohort")


def test_a_room_that_is_imported_as_a_whole_is_seen():
    assert imported("from mosaicmr import figures") == imported("import mosaicmr.figures") == {"figures"}


def test_a_room_imports_only_from_rooms_before_it():
    graph = modules()
    assert len(graph) > len(GROUND) + len(ROOMS) and graph["config"]
    upward = [(module, other) for module, names in graph.items() for other in names if rank(other) > rank(module)]
    assert not upward


def test_synthesis_needs_no_training_code():
    needed = {name.split(".")[0] for module, names in modules().items()
              if module.startswith("synthesis.") for name in names}  # fmt: skip
    assert not needed & {"training", "pretraining"}


def test_no_two_modules_import_each_other():
    graph = modules()

    def reach(module: str, seen: set[str]) -> set[str]:
        for other in graph[module] - seen:
            seen.add(other)
            reach(other, seen)
        return seen

    assert not [module for module in graph if module in reach(module, set())]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_small_and_says_what_it_is(room: str):
    assert len([path for path in (LIBRARY / room).rglob("*.py") if path.name != "__init__.py"]) <= MOST_MODULES
    assert ast.get_docstring(ast.parse((LIBRARY / room / "__init__.py").read_text()))


def test_contributing_shows_the_rooms_in_their_order():
    rows = [line for line in (CHECKOUT / "CONTRIBUTING.md").read_text().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(ROOMS)


def test_planning_imports_no_torch():
    lines = {line for path in PLANNING for line in path.read_text().splitlines() if line.startswith("from mosaicmr.")}
    assert len(lines) > len(GROUND)
    code = "\n".join((*sorted(lines), "import sys", "sys.exit('torch' in sys.modules)"))
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_docstring_begins_with_a_question_word():
    # "What a run wrote" is a sentence about a thing that has a name: "the files of a run".
    paths = [
        path for folder in ("mosaicmr", "workflow_scripts", "benchmarks") for path in (CHECKOUT / folder).rglob("*.py")
    ]
    texts = {
        f"{path.name}:{getattr(node, 'lineno', 1)}": ast.get_docstring(node) or ""
        for path in paths
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    }
    assert not [place for place, text in texts.items() if text.startswith("What ")]

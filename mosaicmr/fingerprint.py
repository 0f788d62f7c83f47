"""A fingerprint of the code that a script really runs, so that an edit reruns only the results it can change.

Snakemake sees a change in a rule's own script, not in the modules it imports. Each rule therefore carries this
fingerprint as a parameter. Comments, docstrings, layout and the number of a release do not enter it.
"""

import ast
import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import yaml

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def fingerprint(script: str | Path, library: str | Path) -> str:
    """Hash the code of `script` and of every module of `library` that it imports, directly or not.

    script: a Python file. library: the folder of the package, e.g. `mosaicmr`. Imports inside functions count;
    imports of other packages do not, because their versions are pinned elsewhere.
    Returns 16 hexadecimal digits. Raises OSError or SyntaxError if a file cannot be read or parsed.
    """
    script, library = Path(script), Path(library)
    digest = hashlib.sha256(_code(script).encode())
    for path in import_closure(script, library):
        digest.update(f"\x1f{path.relative_to(library)}\x1f{_code(path)}".encode())
    return digest.hexdigest()[:16]


def environment_fingerprint(path: str | Path) -> str:
    """Hash the channels and dependencies of a conda environment file, without its comments and layout.

    The commands of a post-deploy script beside it count too, where there is one (`<name>.post-deploy.sh`).
    Returns 16 hexadecimal digits. Raises OSError or yaml.YAMLError if the file cannot be read or parsed.
    """
    path = Path(path)
    content = json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), sort_keys=True)
    script = path.with_suffix(".post-deploy.sh")
    if script.exists():
        lines = (line.strip() for line in script.read_text(encoding="utf-8").splitlines())
        content += "\n".join(line for line in lines if line and not line.startswith("#"))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def import_closure(script: str | Path, library: str | Path) -> list[Path]:
    """The files of `library` that `script` imports, directly or not, in sorted order, without the script itself."""
    library = Path(library)
    found: set[Path] = set()
    waiting = [Path(script)]
    while waiting:
        path = waiting.pop()
        new = _imported_files(path, library, path.read_text(encoding="utf-8")) - found
        found |= new
        waiting += new
    return sorted(found)


# Kept by content: scripts share most of the library, and a file that changes meanwhile is parsed anew.
@functools.cache
def _parse(text: str, name: str) -> tuple[str, tuple[ast.Import | ast.ImportFrom, ...]]:
    """The source of a file without comments, docstrings and layout, and its import statements."""
    tree = ast.parse(text, filename=name)
    imports = []
    for node in _statements(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.append(node)
        elif isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    tree.body = [node for node in tree.body if not _is_version(node)]
    return ast.unparse(tree), tuple(imports)


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """The node and all statements below it; expressions hold none, and most nodes of a file are theirs."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if not isinstance(child, ast.expr):
            yield from _statements(child)


def _is_version(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"


def _code(path: Path) -> str:
    return _parse(path.read_text(encoding="utf-8"), str(path))[0]


@functools.cache
def _imported_files(path: Path, library: Path, text: str) -> frozenset[Path]:
    """The files of the library that the file `path` with the content `text` imports by its own statements."""
    modules = _imported_modules(path, library, text)
    return frozenset(file for name in modules for file in _module_files(name, library))


def _imported_modules(path: Path, library: Path, text: str) -> set[str]:
    """Dotted names that a file imports from the library; a name imported from a package may be a module or not."""
    names: set[str] = set()
    for node in _parse(text, str(path))[1]:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        else:
            parent = _absolute(node, path, library)
            names.add(parent)
            names.update(f"{parent}.{alias.name}" for alias in node.names)
    return {name for name in names if name.split(".")[0] == library.name}


def _absolute(node: ast.ImportFrom, path: Path, library: Path) -> str:
    """The absolute dotted name behind `from ..a import b` in the file `path`."""
    if not node.level:
        return node.module or ""
    if not path.is_relative_to(library):
        return ""
    package = (library.name, *path.relative_to(library).parent.parts)
    kept = package[: len(package) - node.level + 1]
    return ".".join((*kept, node.module) if node.module else kept)


def _module_files(name: str, library: Path) -> Iterator[Path]:
    """The files that importing a dotted name runs: the `__init__` of each package on the way, then the module."""
    folder = library
    yield from _existing(folder / "__init__.py")
    for part in name.split(".")[1:]:
        yield from _existing(folder / f"{part}.py")
        folder = folder / part
        yield from _existing(folder / "__init__.py")


def _existing(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path

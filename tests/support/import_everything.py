"""Import, one by one, every import statement of files, those inside functions included, and say which fail.

python -I import_everything.py CHECKOUT FILE...    in the interpreter that is to be tried; it needs nothing but Python
"""

import ast
import importlib.util
import sys
from pathlib import Path


def package_of(file: Path, checkout: Path) -> str:
    """The dotted name of the package that a file of the library belongs to, empty for a script."""
    parts = file.relative_to(checkout).parts[:-1]
    return ".".join(parts) if parts[:1] == ("mosaicmr",) else ""


def run_file(file: Path, package: str) -> None:
    """Import a file of the library by its name, or run a script as a module, which then does nothing of its work."""
    if package:
        importlib.import_module(package if file.stem == "__init__" else f"{package}.{file.stem}")
        return
    spec = importlib.util.spec_from_file_location(file.stem, file)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def failures(file: Path, package: str) -> list[str]:
    """The imports of a file that fail."""
    found = []
    try:
        run_file(file, package)
    except Exception as error:
        found.append(f"{file}: {error!r}")
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            statement = compile(ast.Module([node], []), str(file), "exec")
            try:
                exec(statement, {"__name__": "tried", "__package__": package})
            except Exception as error:
                found.append(f"{file}:{node.lineno}: {ast.unparse(node)}: {error!r}")
    return found


def main(checkout: str, *files: str) -> None:
    sys.path.insert(0, checkout)
    found = [line for file in map(Path, files) for line in failures(file, package_of(file, Path(checkout)))]
    print(*found, f"{len(files)} files tried", sep="\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Paths that no shell and no pattern of Snakemake's can take for more than a path.

Executors put paths into commands for a shell, some of them in double quotes, where `$(...)` runs. Snakemake reads
braces as wildcards, and writes letters that cannot be printed as their numbers, which no shell turns back. Quoting is
theirs, not ours, so such a path is refused before Snakemake sees it.
"""

import os
import re
from pathlib import Path

from mosaicmr.errors import InputError
from mosaicmr.scans.findings import Finding, refused

# What a POSIX shell reads as more than a letter, with or without double quotes; wildcards of Snakemake and of shells;
# and what ends a line. Spaces, brackets for remarks, commas and letters of all languages are safe.
UNSAFE = re.compile(r"[$`\"'\\;&|<>{}*?\[\]\x00-\x1f\x7f]")


def require_safe(path: str | Path | None, key: str) -> None:
    """Raise InputError if a path, named by `key`, holds what a shell or Snakemake would interpret; None is safe."""
    fault = None if path is None else _fault(str(path))
    if fault:
        raise InputError(f"{key} is {_shown(path)}, which {fault}: rename the folder or file, or link to it elsewhere.")


def check_path(path: str | Path) -> Finding | None:
    """The finding that refuses an unsafe path of a cohort, or None."""
    fault = _fault(str(path))
    return refused(_shown(path), fault, "rename the folder or file, or link to it elsewhere") if fault else None


def _fault(path: str) -> str | None:
    found = UNSAFE.search(path)
    if found:
        return f"has {found.group()!r} in its name, which a shell or Snakemake would interpret"
    if path.startswith(("-", "~")):
        return f"begins with '{path[0]}', which programs would take for an option or a home folder"
    # Not every byte of a file name is text.
    if any(0xD800 <= ord(letter) <= 0xDFFF for letter in path):
        return "has a name that is no text in the encoding of this machine"
    if not path.isprintable():
        letter = next(letter for letter in path if not letter.isprintable())
        return f"has U+{ord(letter):04X} in its name, which looks like a space or like nothing"
    return None


def _shown(path: str | Path) -> str:
    """The path on one line, whatever it holds."""
    text = os.fsencode(str(path)).decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)

"""Edits of a finished run that are taken back, dates included where they count."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """The file with the first `old` in it replaced by `new`; as before afterwards."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def without(path: Path) -> Iterator[None]:
    """The file, or folder, moved away; back with its dates afterwards."""
    aside = path.with_name(f"{path.name}-aside")
    path.rename(aside)
    try:
        yield
    finally:
        aside.rename(path)


@contextlib.contextmanager
def kept(path: Path) -> Iterator[None]:
    """Give the file its bytes and dates back afterwards, whatever was done to it."""
    aside = path.with_name(f".{path.name}-kept")
    shutil.copy2(path, aside)
    try:
        yield
    finally:
        os.replace(aside, path)

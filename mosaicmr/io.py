"""Reading and writing of the files between stages: safetensors, Parquet and JSON, each written whole or not at all."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mosaicmr.errors import InputError


def write_atomically(path: str | Path, write: Callable[[Path], None]) -> None:
    """Call `write` with a temporary path beside `path` and rename the result into place.

    A job killed at any moment leaves either the old file or the new one, never a part of it. The temporary name keeps
    the suffixes of `path`, because some writers choose their format by them.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".partial-", suffix=f"-{path.name}", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def save_arrays(path: str | Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> None:
    """Write named arrays as safetensors, with string metadata in the header."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_atomically(path, lambda temporary: save_file(contiguous, temporary, dict(metadata or {})))


def load_arrays(path: str | Path, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Read the arrays called `names` (all by default) from a safetensors file.

    Raises InputError if the file is not safetensors or lacks one of the names.
    """
    with _open(path) as file:
        present = set(file.keys())
        wanted = sorted(present) if names is None else list(names)
        missing = [name for name in wanted if name not in present]
        if missing:
            raise InputError(f"{path} lacks the array '{missing[0]}': delete the file and run its rule again.")
        return {name: file.get_tensor(name) for name in wanted}


def load_metadata(path: str | Path) -> dict[str, str]:
    """Read the string metadata in the header of a safetensors file."""
    with _open(path) as file:
        return dict(file.metadata() or {})


def _open(path: str | Path):
    try:
        return safe_open(str(path), framework="numpy")
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is not readable safetensors ({error}): delete it and run its rule again.") from error


def save_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet, without its index."""
    write_atomically(path, lambda temporary: table.to_parquet(temporary, index=False))


def load_table(path: str | Path) -> pd.DataFrame:
    """Read a Parquet table."""
    return pd.read_parquet(path)


def load_tables(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read several Parquet tables of the same columns as one."""
    return pd.concat([load_table(path) for path in paths], ignore_index=True)


def save_json(path: str | Path, content: Any) -> None:
    """Write JSON, indented; NaN is refused, because it is not JSON."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def load_json(path: str | Path) -> Any:
    """Read a JSON file; raises InputError where it is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid JSON ({error}): restore or delete it.") from error


def digest_of(content: Any) -> str:
    """SHA-256, in hexadecimal, of JSON-like content; the order of keys makes no difference."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

"""Reading and writing of the files between stages: safetensors, Parquet and JSON, each written whole or not at all."""

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mosaicmr.errors import InputError

# The types of safetensors that NumPy knows, by their names in its header.
_DTYPES = {
    "BOOL": "bool",
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
}


def write_atomically(path: str | Path, write: Callable[[Path], None]) -> None:
    """Call `write` with a temporary path beside `path` and rename the result into place.

    A job killed at any moment leaves either the old file or the new file, never a part. The temporary name keeps
    the suffixes of `path`, because some writers choose their format by them.
    """
    with _replacing(path) as temporary:
        write(temporary)


@contextmanager
def _replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place if the block ends without error and is removed if not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".partial-", suffix=f"-{path.name}", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def save_arrays(path: str | Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> None:
    """Write named arrays as safetensors, with string metadata in the header; the same bytes for the same content."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}

    def write(temporary: Path) -> None:
        save_file(contiguous, temporary, dict(metadata or {}))
        if metadata and len(metadata) > 1:
            _sort_metadata(temporary)

    write_atomically(path, write)


def _sort_metadata(path: Path) -> None:
    """Put the metadata of a safetensors file in order, which its library writes in another order each time."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) > length:
            raise ValueError(f"The header of {path} grew from {length} to {len(text)} bytes.")
        file.seek(8)
        file.write(text.ljust(length))


@contextmanager
def create_arrays(
    path: str | Path, arrays: Mapping[str, tuple[Any, Sequence[int]]], metadata: Mapping[str, str] | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """Arrays of zeros, to be filled in place, that become the safetensors file `path` if the block ends without error.

    arrays: the dtype and shape of each name. They live on disk, so that they may be larger than memory. metadata:
    strings for the header.
    """
    entries, end = {}, 0
    # The widest numbers first, so that all are aligned.
    for name, (dtype, shape) in sorted(arrays.items(), key=lambda item: (-np.dtype(item[1][0]).itemsize, item[0])):
        size = math.prod(shape) * np.dtype(dtype).itemsize
        code = next(code for code, known in _DTYPES.items() if known == np.dtype(dtype).name)
        entries[name] = {"dtype": code, "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    about = {"__metadata__": dict(metadata)} if metadata else {}
    header = json.dumps(about | entries).encode()
    header += b" " * (-len(header) % 8)
    with _replacing(path) as temporary:
        with temporary.open("wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            # Now, because a full disk found through a mapping kills the process without a word.
            os.posix_fallocate(file.fileno(), 0, max(file.tell() + end, 1))
        yield {name: _map_array(temporary, 8 + len(header), entry, "r+") for name, entry in entries.items()}


def load_arrays(path: str | Path, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """Read the arrays called `names` (all by default) from a safetensors file.

    They are mapped: only the elements in use are read, so a stage that takes slice by slice never holds a whole shard.
    Changes of their elements stay in memory. Raises InputError if the file is not safetensors, lacks one of the names,
    or holds numbers of a type that NumPy lacks.
    """
    with _open(path) as file:
        present = set(file.keys())
    wanted = sorted(present) if names is None else list(names)
    missing = [name for name in wanted if name not in present]
    if missing:
        raise InputError(f"{path} lacks the array '{missing[0]}': delete the file and run its rule again.")
    with Path(path).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entries = json.loads(file.read(length))
    for name in wanted:
        if entries[name]["dtype"] not in _DTYPES:
            found = entries[name]["dtype"]
            raise InputError(f"{path} holds '{name}' as {found}: expected {', '.join(_DTYPES)}; convert it.")
    return {name: _map_array(path, 8 + length, entries[name], "c") for name in wanted}


def _map_array(path: str | Path, start: int, entry: Mapping[str, Any], mode: str) -> np.ndarray:
    """The array behind an entry of a safetensors header, mapped; `start` is where the data begin in the file."""
    shape, dtype = tuple(entry["shape"]), np.dtype(_DTYPES[entry["dtype"]])
    if 0 in shape:  # nothing cannot be mapped
        return np.zeros(shape, dtype)
    return np.asarray(np.memmap(path, dtype, mode, start + entry["data_offsets"][0], shape)).reshape(shape)


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


def save_csv(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV for people, without its index."""
    write_atomically(path, lambda temporary: table.to_csv(temporary, index=False))


def load_csv(path: str | Path) -> pd.DataFrame:
    """Read what `save_csv` wrote; all columns are text, empty where nothing stands."""
    return pd.read_csv(path, dtype="str", keep_default_na=False)


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

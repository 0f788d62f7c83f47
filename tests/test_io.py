"""Arrays on disk: what is written is read, nothing half-written stays, and no file has to fit in memory."""

import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mosaicmr.errors import InputError
from mosaicmr.io import create_arrays, load_arrays, load_metadata, save_arrays

ARRAYS = {
    "odd": np.arange(3, dtype=np.uint8),
    "wide": np.linspace(0, 1, 5),
    "half": np.ones((2, 3), np.float16),
    "flag": np.array([True, False]),
    "none": np.zeros((0, 4), np.int64),
}


def test_arrays_come_back_as_they_were_written(tmp_path):
    save_arrays(tmp_path / "a.safetensors", ARRAYS)
    loaded = load_arrays(tmp_path / "a.safetensors")
    assert set(loaded) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert loaded[name].dtype == array.dtype
        assert loaded[name].shape == array.shape
        assert np.array_equal(loaded[name], array)


def test_one_row_of_a_large_file_takes_no_more_memory_than_the_row(tmp_path):
    save_file({"images": np.ones((64, 1 << 18), np.float32)}, tmp_path / "a.safetensors")
    tracemalloc.start()
    row = load_arrays(tmp_path / "a.safetensors")["images"][7].copy()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert row.sum() == 1 << 18
    assert peak < 2 * row.nbytes


def test_a_change_of_what_was_read_does_not_reach_the_file(tmp_path):
    save_arrays(tmp_path / "a.safetensors", {"odd": ARRAYS["odd"]})
    load_arrays(tmp_path / "a.safetensors")["odd"][:] = 9
    assert np.array_equal(load_file(tmp_path / "a.safetensors")["odd"], ARRAYS["odd"])


def test_arrays_made_on_disk_are_safetensors_like_any_other(tmp_path):
    with create_arrays(tmp_path / "a.safetensors", {name: (a.dtype, a.shape) for name, a in ARRAYS.items()}) as made:
        assert not any(array.any() for array in made.values())
        for name, array in ARRAYS.items():
            made[name][...] = array
        assert not (tmp_path / "a.safetensors").exists()
    read = load_file(tmp_path / "a.safetensors")
    assert all(np.array_equal(read[name], array) for name, array in ARRAYS.items())


def test_a_failure_while_arrays_are_filled_leaves_nothing_behind(tmp_path):
    with pytest.raises(ZeroDivisionError), create_arrays(tmp_path / "a.safetensors", {"x": (np.uint8, (4,))}):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_missing_array_and_a_file_of_another_kind_are_refused(tmp_path):
    save_arrays(tmp_path / "a.safetensors", {"odd": ARRAYS["odd"]})
    with pytest.raises(InputError, match="lacks the array 'even'"):
        load_arrays(tmp_path / "a.safetensors", ["even"])
    (tmp_path / "b.safetensors").write_bytes(b"no safetensors")
    with pytest.raises(InputError, match=r"b\.safetensors is not readable"):
        load_arrays(tmp_path / "b.safetensors")


def test_the_same_arrays_and_metadata_are_the_same_bytes(tmp_path):
    metadata = {name: f'{name} "ä" \n' for name in "abcdefg"}
    files = []
    for number in range(8):
        path = tmp_path / f"{number}.safetensors"
        save_arrays(path, {"x": np.arange(3.0), "y": np.ones(2, np.uint8)}, metadata)
        files.append(path.read_bytes())
    assert len(set(files)) == 1
    assert load_metadata(path) == metadata and load_arrays(path)["x"].tolist() == [0, 1, 2]

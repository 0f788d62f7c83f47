"""Ways to spoil the files of a scan: its bytes, its header, its voxels, its affine, or its format."""

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK

from tests.support.scans import make_volumes, write_nifti

Spoil = Callable[[dict[str, Path]], None]


def rewrite(file: str, change: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    """Change the voxels of a file, in RAS+."""

    def spoil(files: dict[str, Path]) -> None:
        write_nifti(files[file], change(np.asanyarray(nib.load(files[file]).dataobj).copy()))

    return spoil


def content(file: str, change: Callable[[bytes], bytes]) -> Spoil:
    """Change the bytes of a file."""
    return lambda files: files[file].write_bytes(change(files[file].read_bytes())) and None


def raw_header(file: str, **fields) -> Spoil:
    """Write fields of a NIfTI header as they are, without checks; a pair (index, value) sets one element."""

    def change(data: bytes) -> bytes:
        data = gzip.decompress(data)
        header = nib.Nifti1Header(data[:348], check=False)
        for name, value in fields.items():
            if isinstance(value, tuple):
                header[name][value[0]] = value[1]
            else:
                header[name] = value
        return gzip.compress(header.binaryblock + data[348:], compresslevel=1)

    return content(file, change)


def affine(change: Callable[[np.ndarray], np.ndarray], *names: str) -> Spoil:
    """Write the affine of all files, or of some, as sform without a qform."""

    def spoil(files: dict[str, Path]) -> None:
        for name in names or files:
            image = nib.load(files[name])
            nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj), change(image.affine.copy())), files[name])

    return spoil


def turned(axis: int, degrees: float) -> Callable[[np.ndarray], np.ndarray]:
    """A rotation about an axis of the patient's."""
    one, other = {0, 1, 2} - {axis}
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(4)
    matrix[one, one] = matrix[other, other] = cosine
    matrix[one, other], matrix[other, one] = -sine, sine
    return lambda before: matrix @ before


def itk(suffix: str, change: Callable[[Path], None] = lambda path: None, compressed: bool = True) -> Spoil:
    """Write T1ce in another format, and change that file."""

    def spoil(files: dict[str, Path]) -> None:
        image, _ = make_volumes()
        written = SimpleITK.GetImageFromArray(image.astype(np.int16).transpose())
        written.SetSpacing((2.0, 2.0, 2.0))
        written.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
        path = files["T1ce"] = files["T1ce"].with_name(f"other{suffix}")
        SimpleITK.WriteImage(written, str(path), compressed)
        change(path)

    return spoil


def edit(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(change(path.read_bytes())) and None


def cut(share: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(share * len(data))]


def set_value(value: float, count: int = 5) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values = values.astype(np.float32)
        values[10:12, 24:27, 15 : 15 + count] = value
        return values

    return change


def noise(low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: values + np.random.default_rng(1).uniform(low, high, values.shape).astype(np.float32)

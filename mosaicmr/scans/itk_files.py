"""NRRD and MetaImage files, read by SimpleITK once their headers and compressed streams have been checked.

SimpleITK returns voxels of a damaged compressed stream without an error, and opens whatever file a header names; both
are looked at here first.
"""

import math
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK

from mosaicmr.scans.findings import refusal

NRRD, META = "NRRD", "MetaImage"
HEADER_BYTES = 2**16
CHUNK = 2**20
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
# Spaces of NRRD that say where the patient's right, front and top are.
SPACES = {
    "left-posterior-superior", "lps", "right-anterior-superior", "ras", "left-anterior-superior", "las",
}  # fmt: skip
READERS = {NRRD: "NrrdImageIO", META: "MetaImageIO"}
DAMAGED = "copy or download it again"


def is_itk_file(start: bytes) -> bool:
    """Whether a file that begins so is NRRD or MetaImage."""
    return _format(start) is not None


def read_itk_file(
    path: Path, start: bytes, check_size: Callable[[tuple[int, ...], np.dtype], None]
) -> tuple[np.ndarray, np.ndarray]:
    """The voxels [X, Y, Z, ...] and the affine (RAS+, mm) of a NRRD or MetaImage file.

    check_size: raises if a shape and a type, which the header announces, are not to be read. Raises RefusedFile if the
    file is damaged, gives no orientation, or names data outside its folder.
    """
    kind = _format(start)
    try:
        fields, end = _parse_header(path, kind)
        data = _data_file(fields, path)
        reader = SimpleITK.ImageFileReader()
        reader.SetImageIO(READERS[kind])
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        shape, voxel = _announced(reader, path)
        check_size(shape, voxel)
        _check_orientation(fields, kind, path)
        _check_stream(fields, data or path, 0 if data else end, math.prod(shape) * voxel.itemsize, path)
        image = reader.Execute()
    except (RuntimeError, OSError, zlib.error) as error:
        reason = " ".join(str(error).split())[-160:]
        raise refusal(path, f"cannot be read as {kind}, it is truncated or damaged ({reason})", DAMAGED) from error
    axes = image.GetDimension()
    voxels = SimpleITK.GetArrayFromImage(image)
    voxels = voxels.transpose(*reversed(range(axes)), *range(axes, voxels.ndim))
    direction = np.array(image.GetDirection()).reshape(axes, axes)[:3, :3]
    affine = np.eye(4)
    affine[:3, :3] = LPS_TO_RAS @ direction * np.array(image.GetSpacing()[:3])
    affine[:3, 3] = LPS_TO_RAS @ np.array(image.GetOrigin()[:3])
    return voxels, affine


def _format(start: bytes) -> str | None:
    if start.startswith(b"NRRD000"):
        return NRRD
    words = start[:256].split(b"\n")[0].split(b"=")[0].strip().lower()
    return META if words in (b"objecttype", b"ndims", b"comment") and b"=" in start[:256] else None


def _parse_header(path: Path, kind: str) -> tuple[dict[str, str], int]:
    """The fields of a header, names in small letters, and the byte at which voxels begin in the same file."""
    with path.open("rb") as file:
        lines = file.read(HEADER_BYTES).splitlines(keepends=True)
    fields: dict[str, str] = {}
    end = 0
    for line in lines:
        end += len(line)
        text = line.decode("utf-8", errors="replace").strip()
        if kind == NRRD and not text:
            return fields, end
        name, found, value = text.partition(":" if kind == NRRD else "=")
        if found and not text.startswith("#"):
            fields[name.strip().lower()] = value.lstrip("=").strip()
        if kind == META and "elementdatafile" in fields:
            return fields, end
    if kind == NRRD and {"data file", "datafile"} & fields.keys():
        return fields, end
    raise refusal(path, f"cannot be read as {kind}, its header does not end", DAMAGED)


def _data_file(fields: dict[str, str], path: Path) -> Path | None:
    """The file beside the header that holds the voxels; None if the header's own file does."""
    name = fields.get("elementdatafile", fields.get("data file", fields.get("datafile", "LOCAL")))
    if name.upper() == "LOCAL":
        return None
    file = path.parent / name
    if Path(name).name != name or "%" in name or name.upper().startswith("LIST") or not file.is_file():
        reason = f"names '{name}' as the file of its voxels (expected the name of one file beside it)"
        raise refusal(path, reason, "write the image again as a single file, .nrrd or .mha")
    return file


def _announced(reader: SimpleITK.ImageFileReader, path: Path) -> tuple[tuple[int, ...], np.dtype]:
    """The shape and the type of voxels that a header announces; several components are a last axis."""
    pixel = SimpleITK.GetPixelIDValueAsString(reader.GetPixelID())
    names = {"8-bit": 1, "16-bit": 2, "32-bit": 4, "64-bit": 8}
    size = next((size for name, size in names.items() if name in pixel), 0)
    kind = "f" if "float" in pixel else "u" if "unsigned" in pixel else "i"
    if not size or "complex" in pixel:
        reason = f"has voxels of type '{pixel}' (expected one real number a voxel)"
        raise refusal(path, reason, "write the image again with integer or real voxels")
    components = reader.GetNumberOfComponents()
    return (*reader.GetSize(), *((components,) if components > 1 else ())), np.dtype(f"{kind}{size}")


def _check_orientation(fields: dict[str, str], kind: str, path: Path) -> None:
    if kind == NRRD:
        known = fields.get("space", "").lower() in SPACES and "space directions" in fields
        missing = "'space' and 'space directions'"
    else:
        known = bool({"transformmatrix", "rotation", "orientation"} & fields.keys())
        missing = "'TransformMatrix'"
    if not known:
        raise refusal(path, f"has no orientation (its header lacks {missing})", "convert the scan from DICOM again")


def _check_stream(fields: dict[str, str], data: Path, begin: int, expected: int, path: Path) -> None:
    """Unfold a compressed stream piece by piece, to its checksum; `expected` bytes must come out."""
    if fields.get("encoding", "").lower() not in ("gzip", "gz") and fields.get("compresseddata", "").lower() != "true":
        return
    unfold = zlib.decompressobj(wbits=47)  # zlib or gzip, whichever it is
    size = 0
    with data.open("rb") as file:
        file.seek(begin)
        while not unfold.eof and size <= expected and (chunk := file.read(CHUNK)):
            while chunk and size <= expected:
                size += len(unfold.decompress(chunk, CHUNK))
                chunk = unfold.unconsumed_tail
    if not unfold.unconsumed_tail:  # what is left of a sound stream is small
        size += len(unfold.flush())
    if size != expected or not unfold.eof:
        found = f"more than {expected}" if size > expected else f"{size} of {expected}"
        raise refusal(path, f"cannot be read, it is truncated or damaged ({found} bytes)", DAMAGED)

"""Read one volume from an image file, whatever its format, or refuse the file in one sentence.

NIfTI (1 and 2, also compressed, by content rather than by name) is read by nibabel; NRRD and MetaImage by SimpleITK. A
header is checked before voxels are read, so that memory is bounded by MAX_BYTES whatever a file claims or unfolds to.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from mosaicmr.scans.findings import Finding, raise_first_refusal, refusal
from mosaicmr.scans.geometry import check_axes, check_header, check_voxels
from mosaicmr.scans.itk_files import is_itk_file, read_itk_file

MAX_BYTES = 2**30  # of a file's content in memory; 240 x 240 x 155 voxels of float64 are 71 MB
MAX_VOXELS = 2**27  # of a volume: 512 x 512 x 512
MAX_OFFSET = 2**24  # bytes of header and extensions before the voxels
SLACK = 2**16  # bytes that may follow the voxels
CHUNK = 2**22
GZIP = b"\x1f\x8b"
HEADERS = {348: nib.Nifti1Image, 540: nib.Nifti2Image}
KNOWN = "a NIfTI (.nii, .nii.gz), NRRD (.nrrd) or MetaImage (.mha, .mhd) file"
DAMAGED = "copy or download it again"
UNREADABLE = (
    ImageFileError, HeaderDataError, WrapStructError, OSError, EOFError, zlib.error, struct.error, ValueError,
    OverflowError, TypeError,
)  # fmt: skip


def read_image(path: str | Path, channel: int | None = None, straight: bool = True) -> nib.Nifti1Image:
    """Read one volume into memory, in the closest canonical orientation (RAS+).

    channel: the index on a fourth axis, for a file that holds several volumes. straight: refuse sheared and oblique
    images, which only resampling can use. Returns an image of three axes with integer or real voxels, scaled as the
    header says. Raises RefusedFile if the file is missing, damaged, too large, of another format, not one volume of
    real numbers, or if its header gives no orientation or contradicts itself.
    """
    image, findings = examine_image(path, channel)
    raise_first_refusal(findings)
    if straight:
        raise_first_refusal(check_axes(image.affine, Path(path)))
    return image


def examine_image(path: str | Path, channel: int | None = None) -> tuple[nib.Nifti1Image, list[Finding]]:
    """Read one volume as `read_image` does, with all findings about its header except shear and tilt.

    Raises RefusedFile if the voxels cannot be read or brought to canonical orientation.
    """
    path = Path(path)
    start = _first_bytes(path)
    if is_itk_file(start):
        voxels, affine = read_itk_file(path, start, lambda shape, kind: _check_size(shape, kind, path))
        findings: list[Finding] = []
    else:
        voxels, affine, findings = _read_nifti(path, start)
    voxels = _one_volume(voxels, channel, path)
    check_voxels(affine, path)
    image = nib.Nifti1Image(voxels, affine, dtype=voxels.dtype)
    return nib.as_closest_canonical(image), findings


def _first_bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise refusal(path, "is a folder (expected an image file)", "name the file inside it")
        if not path.exists():
            raise refusal(path, "does not exist", "add the file, or remove the scan from the cohort")
        if not path.is_file():
            raise refusal(path, "is no ordinary file", f"put {KNOWN} there")
        with path.open("rb") as file:
            start = file.read(1024)
    except OSError as error:
        raise refusal(path, f"cannot be opened ({error.strerror})", "make the file readable for this user") from error
    if not start:
        raise refusal(path, "cannot be read, it is empty (0 bytes)", DAMAGED)
    return start


def _read_nifti(path: Path, start: bytes) -> tuple[object, np.ndarray, list[Finding]]:
    """The voxels (an array proxy in memory), the affine, and the findings about the header."""
    try:
        with gzip.open(path) if start.startswith(GZIP) else path.open("rb") as file:
            begin = file.read(540)
            order, size = _byte_order(begin)
            image_class = _image_class(begin, size, path)
            header = image_class.header_class(begin[:size], endianness=order, check=False)
            content = _read_to_end(file, begin, _check_nifti_header(header, path), path)
        image = image_class.from_bytes(content)
        return image.dataobj, image.affine, list(check_header(header, path))
    except UNREADABLE as error:
        reason = " ".join(str(error).split())
        raise refusal(path, f"cannot be read as NIfTI, it is truncated or damaged ({reason})", DAMAGED) from error


def _byte_order(begin: bytes) -> tuple[str, int]:
    """The byte order and the size of a NIfTI header, which is its first number; size 0 if it is none."""
    for order in "<>":
        size = struct.unpack(order + "i", begin[:4])[0] if len(begin) >= 4 else 0
        if size in HEADERS and len(begin) >= size:
            return order, size
    return "<", 0


def _image_class(begin: bytes, size: int, path: Path) -> type[nib.Nifti1Image]:
    if not size:
        if begin[128:132] == b"DICM":
            raise refusal(path, "is a DICOM file", f"convert the series to {KNOWN}, for example by dcm2niix")
        raise refusal(path, "cannot be read as NIfTI or another format known here", f"put {KNOWN} there")
    magic = begin[344:348] if size == 348 else begin[4:8]
    if not magic.startswith((b"n+1", b"n+2")):
        reason = "cannot be read as NIfTI, it is an Analyze file or half of a pair .hdr and .img"
        raise refusal(path, reason, f"convert it to {KNOWN}")
    return HEADERS[size]


def _check_nifti_header(header: nib.Nifti1Header, path: Path) -> int:
    """Check the sizes that a header claims, before any voxel is read; returns the bytes of the file up to its end."""
    axes = int(header["dim"][0])
    shape = tuple(int(side) for side in header["dim"][1 : 1 + axes]) if 1 <= axes <= 7 else ()
    try:
        kind = header.get_data_dtype()
    except (KeyError, HeaderDataError) as error:
        reason = f"cannot be read as NIfTI, its code {int(header['datatype'])} is no type of voxels"
        raise refusal(path, reason, DAMAGED) from error
    _check_size(shape, kind, path)
    offset = float(header["vox_offset"])
    if not header.sizeof_hdr <= offset <= MAX_OFFSET:
        raise refusal(path, f"cannot be read as NIfTI, its voxels begin at byte {offset:g}", DAMAGED)
    return int(offset) + math.prod(shape) * kind.itemsize


def _check_size(shape: tuple[int, ...], kind: np.dtype, path: Path) -> None:
    if len(shape) < 3 or min(shape) < 1:
        raise refusal(path, f"has the shape {shape} (expected a volume of three axes)", "convert the file")
    if kind.kind not in "iuf":
        reason = f"has voxels of type {kind} (expected one real number a voxel)"
        raise refusal(path, reason, "write the image again with integer or real voxels")
    voxels, size = math.prod(shape), math.prod(shape) * kind.itemsize
    if math.prod(shape[:3]) > MAX_VOXELS or size > MAX_BYTES:
        reason = (
            f"has the shape {shape}, {voxels:.3g} voxels and {size / 2**20:.3g} MB (expected up to {MAX_VOXELS:.3g} "
        )
        raise refusal(path, f"{reason}voxels and {MAX_BYTES // 2**20} MB)", "replace it by a scan of a brain")


def _read_to_end(file, begin: bytes, end: int, path: Path) -> bytes:
    """The whole content. Decompressing to the end checks the checksum, which reading only the voxels would not."""
    content = bytearray(begin)
    while chunk := file.read(CHUNK):
        content += chunk
        if len(content) > end + SLACK:
            raise refusal(path, f"holds more than the {end} bytes that its header announces", DAMAGED)
    if len(content) < end:
        reason = f"cannot be read as NIfTI, it is truncated ({len(content)} of {end} bytes)"
        raise refusal(path, reason, DAMAGED)
    return bytes(content)


def _one_volume(voxels, channel: int | None, path: Path) -> np.ndarray:
    """The volume [X, Y, Z] of an array (or array proxy) whose further axes are 1 but for one of channels at most."""
    further = [axis for axis in range(3, len(voxels.shape)) if voxels.shape[axis] > 1]
    count = math.prod(voxels.shape[3:])
    if len(further) > 1 or (count > 1 and channel is None):
        reason = f"has the shape {tuple(voxels.shape)}, {count} volumes (expected one volume of three axes)"
        raise refusal(path, reason, "name the channel to take, or write one file a volume")
    channel = channel or 0
    if not 0 <= channel < count:
        raise refusal(path, f"has {count} volumes and no channel {channel}", "correct the channel, which counts from 0")
    place = tuple(channel if axis in further else 0 for axis in range(3, len(voxels.shape)))
    volume = np.asanyarray(voxels[(slice(None), slice(None), slice(None), *place)])
    # NIfTI in memory has no longer floats, and other byte orders are slow.
    return volume.astype(np.float64 if volume.dtype.itemsize > 8 else volume.dtype.newbyteorder("="), copy=False)

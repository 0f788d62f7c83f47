"""Read a subject's NIfTI files, and refuse those that later stages could not use."""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from scipy import ndimage

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.subject import Subject
from mosaicmr.errors import InputError

MAX_BYTES = 2**30  # of a volume in memory; 240 x 240 x 155 voxels of float64 are 71 MB
MAX_VOXELS = 2**28
AFFINE_TOLERANCE = 1e-2  # mm; files of one subject differ by rounding of their headers


@dataclass(frozen=True)
class Volumes:
    """The volumes of one subject, in canonical orientation (RAS+: x to the right, y to the front, z upwards).

    images: float32 [M, X, Y, Z], in the order of the subject's modalities; labels: uint8 [X, Y, Z], tumour classes;
    brain: bool [X, Y, Z], which holds every label; voxel_size: mm along x, y and z.
    """

    images: np.ndarray
    labels: np.ndarray
    brain: np.ndarray
    voxel_size: tuple[float, float, float]

    @property
    def voxel_volume(self) -> float:
        """Volume of a voxel in mm³."""
        return float(np.prod(self.voxel_size))


def load_volumes(subject: Subject, scheme: LabelScheme) -> Volumes:
    """Read and check all files of a subject.

    Raises InputError if a file is unreadable or not a 3D volume, if shapes or affines differ, if a value is not finite,
    a label is outside the scheme, or an image is empty or constant within the brain.
    """
    label_image = read_nifti(subject.labels)
    labels = _label_values(label_image, subject.labels)
    classes = scheme.to_classes(labels, str(subject.labels))
    images = []
    for file in subject.images.values():
        image = read_nifti(file)
        _check_same_grid(image, file, label_image, subject.labels)
        images.append(_image_values(image, file))
    stacked = np.stack(images)
    brain = brain_mask(stacked, classes)
    for values, file in zip(stacked, subject.images.values(), strict=True):
        _check_contrast(values[brain], file)
    return Volumes(stacked, classes * brain, brain, _voxel_size(label_image, subject.labels))


def read_nifti(path: str | Path) -> nib.Nifti1Image:
    """Read a whole NIfTI file into memory and turn it to the closest canonical orientation.

    Raises InputError if it is truncated, damaged, not NIfTI or not one 3D volume.
    """
    try:
        # Decompressing to the end checks the file's own checksum, which reading only the voxels would not.
        image = nib.Nifti1Image.from_bytes(_content(Path(path)))
        shape = image.shape
        if len(shape) != 3 or min(shape) < 1 or np.prod(shape, dtype=float) > MAX_VOXELS:
            raise InputError(f"{path} has the shape {shape}: expected one volume of three axes; convert the file.")
        if not np.isfinite(image.affine).all() or abs(np.linalg.det(image.affine[:3, :3])) < 1e-9:
            raise InputError(f"{path} has no usable orientation in its header: write its qform or sform again.")
        np.asanyarray(image.dataobj)
        return nib.as_closest_canonical(image)
    except (ImageFileError, HeaderDataError, WrapStructError, OSError, EOFError, zlib.error, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path} cannot be read as NIfTI, it is truncated or damaged ({reason}): copy or download it again."
        ) from error


def brain_mask(images: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The brain: where any modality is above 0 or a tumour is annotated, largest piece only, holes filled.

    images: float32 [M, X, Y, Z], skull-stripped; classes: uint8 [X, Y, Z]. Returns bool [X, Y, Z].
    """
    candidate = (images > 0).any(axis=0) | (classes > 0)
    pieces, count = ndimage.label(candidate)
    if count > 1:
        candidate = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
    return ndimage.binary_fill_holes(candidate)


def _content(path: Path) -> bytes:
    with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
        content = bytearray()
        while chunk := file.read(2**22):
            content += chunk
            if len(content) > MAX_BYTES:
                raise InputError(
                    f"{path} holds more than {MAX_BYTES // 2**20} MB: expected one brain volume; replace the file."
                )
    return bytes(content)


def _label_values(image: nib.Nifti1Image, path: Path) -> np.ndarray:
    labels = np.asanyarray(image.dataobj)
    if labels.dtype.kind not in "iu":
        _check_finite(labels, path)
        rounded = np.rint(labels)
        if not np.array_equal(labels, rounded):
            value = labels[labels != rounded].flat[0]
            raise InputError(
                f"{path} has the label {value:g}: expected whole numbers; resample segmentations by nearest neighbour."
            )
        labels = rounded
    return labels.astype(np.int64)


def _image_values(image: nib.Nifti1Image, path: Path) -> np.ndarray:
    if image.get_data_dtype().kind not in "iuf":
        raise InputError(f"{path} has voxels of type {image.get_data_dtype()}: expected one real number a voxel.")
    values = image.get_fdata(dtype=np.float32, caching="unchanged")
    _check_finite(values, path)
    return values


def _check_finite(values: np.ndarray, path: Path) -> None:
    bad = int(np.size(values) - np.isfinite(values).sum())
    if bad:
        raise InputError(f"{path} has {bad} voxels that are not finite: set them to 0 or write the file again.")


def _check_same_grid(image: nib.Nifti1Image, path: Path, reference: nib.Nifti1Image, reference_path: Path) -> None:
    if image.shape != reference.shape:
        raise InputError(
            f"{path} has the shape {image.shape} and {reference_path} {reference.shape} (in canonical orientation): "
            "expected all files of a subject on one grid; register and resample them."
        )
    if not np.allclose(image.affine, reference.affine, rtol=0, atol=AFFINE_TOLERANCE):
        difference = float(np.abs(image.affine - reference.affine).max())
        raise InputError(
            f"{path} and {reference_path} lie differently in space (affines differ by up to {difference:.3g}): "
            "expected all files of a subject on one grid; register and resample them."
        )


def _check_contrast(values: np.ndarray, path: Path) -> None:
    if values.size == 0 or not (values > 0).any():
        raise InputError(f"{path} is empty, no voxel is above 0: replace it, or remove the subject.")
    if values.max() <= values.min():
        raise InputError(f"{path} has the same value {values.max():g} all over the brain: replace it.")


def _voxel_size(image: nib.Nifti1Image, path: Path) -> tuple[float, float, float]:
    size = tuple(float(side) for side in nib.affines.voxel_sizes(image.affine))
    if not all(0.05 <= side <= 20 for side in size):
        raise InputError(f"{path} has voxels of {size} mm: expected 0.05 to 20 mm; correct the header.")
    return size

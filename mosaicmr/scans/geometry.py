"""Geometry of image files: what their headers say about the place of voxels, and whether it holds together.

Affines are 4 x 4 matrices from voxel indices to mm in RAS+ (x to the right, y to the front, z upwards).
"""

from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np

from mosaicmr.scans.findings import Finding, doubtful, refusal, refused

LEAST_VOXEL, MOST_VOXEL = 0.05, 20.0  # mm
# Statements of one header, and the grids of one subject's files, differ by rounding. They agree as long as no voxel
# moves by as much as this share of the smallest side of a voxel: at a tenth, an intensity or the border of a mask
# changes less than between two annotators; at half, a voxel takes its neighbour's place.
SAME_GRID = 0.1
SAME_STATEMENT = 0.5
MOST_SHEAR = 0.5  # degrees between the axes and a right angle
MOST_TILT = 5.0  # degrees between the axes and the patient's: a head lies less exactly in the scanner
RESAMPLE = "resample the scan onto a straight axial grid"
UNUSABLE = "write its orientation again, for example by converting the scan from DICOM again"


def check_header(header: nib.Nifti1Header, path: Path) -> Iterator[Finding]:
    """Findings about the sform, the qform and pixdim of a NIfTI header as it is on disk.

    The sform and the qform have a code each, 0 where there is none. Without either, left and right are unknown.
    """
    has_sform, has_qform = int(header["sform_code"]) > 0, int(header["qform_code"]) > 0
    sizes = np.asarray(header["pixdim"][1:4], float)
    if not has_sform and not has_qform:
        yield refused(path, "has no orientation (its sform_code and qform_code are 0)", UNUSABLE)
        return
    if not np.isfinite(sizes).all() or (sizes <= 0).any():
        yield refused(path, f"has voxels of {_mm(sizes)} mm by its pixdim (expected more than 0)", UNUSABLE)
        return
    shape = [int(side) for side in header["dim"][1:4]]
    if has_sform:
        found = list(_compare_pixdim(np.asarray(header.get_sform(), float), sizes, shape, path))
        # A qform takes its sizes from pixdim, so it would only repeat the contradiction.
        yield from found or (_compare_forms(header, shape, path) if has_qform else ())


def check_voxels(affine: np.ndarray, path: Path) -> None:
    """Raise RefusedFile if an affine is not finite or singular, or if its voxels have no sensible size."""
    if not np.isfinite(affine).all():
        raise refusal(path, "has an orientation that is not finite", UNUSABLE)
    sizes = nib.affines.voxel_sizes(affine)
    if not all(LEAST_VOXEL <= side <= MOST_VOXEL for side in sizes):
        reason = f"has voxels of {_mm(sizes)} mm (expected {LEAST_VOXEL:g} to {MOST_VOXEL:g} mm)"
        raise refusal(path, reason, "correct the header, whose unit must be mm")
    if abs(np.linalg.det(affine[:3, :3] / sizes)) < 1e-3:
        raise refusal(path, "has an orientation in which axes coincide", UNUSABLE)


def check_axes(affine: np.ndarray, path: Path) -> Iterator[Finding]:
    """Findings about shear and tilt; the affine has passed `check_voxels` and belongs to a canonical orientation."""
    axes = affine[:3, :3] / nib.affines.voxel_sizes(affine)
    apart = min(_degrees(abs(axes[:, i] @ axes[:, j])) for i, j in ((0, 1), (0, 2), (1, 2)))
    if 90 - apart > MOST_SHEAR:
        yield refused(path, f"is sheared, two of its axes are {apart:.1f} degrees apart (expected 90)", RESAMPLE)
        return
    tilt = max(_degrees(axes[axis, axis]) for axis in range(3))
    if tilt > MOST_TILT:
        reason = f"is oblique, its axes are turned by {tilt:.0f} degrees (expected axial planes, up to {MOST_TILT:.0f})"
        yield refused(path, reason, RESAMPLE)


def compare_grids(
    image: nib.Nifti1Image, path: Path, reference: nib.Nifti1Image, reference_path: Path
) -> Iterator[Finding]:
    """Findings about two images of a subject in canonical orientation that do not share a grid."""
    remedy = "expected all files of a subject on one grid; register and resample them"
    if image.shape != reference.shape:
        shapes = f"{image.shape} and {reference_path} {reference.shape} (in canonical orientation)"
        yield refused(path, f"has the shape {shapes}", remedy)
        return
    distance = farthest(image.affine, reference.affine, image.shape)
    if distance > SAME_GRID * nib.affines.voxel_sizes(reference.affine).min():
        yield refused(path, f"lies elsewhere in space than {reference_path}, by up to {distance:.3g} mm", remedy)


def farthest(affine: np.ndarray, other: np.ndarray, shape) -> float:
    """The largest distance in mm between the places that two affines give to a voxel of a volume of this shape."""
    corners = np.array([[*(np.array(corner) * (np.asarray(shape) - 1)), 1] for corner in np.ndindex(2, 2, 2)])
    return float(np.linalg.norm((corners @ (affine - other).T)[:, :3], axis=1).max())


def _compare_pixdim(sform: np.ndarray, sizes: np.ndarray, shape: list[int], path: Path) -> Iterator[Finding]:
    stated = nib.affines.voxel_sizes(sform)
    if np.isfinite(stated).all() and (np.abs(stated - sizes) * shape > SAME_STATEMENT * sizes.min()).any():
        reason = f"contradicts itself, voxels measure {_mm(stated)} mm by its sform and {_mm(sizes)} mm by its pixdim"
        yield refused(path, reason, "correct the header; volumes and lesion sizes depend on it")


def _compare_forms(header: nib.Nifti1Header, shape: list[int], path: Path) -> Iterator[Finding]:
    sform, qform = np.asarray(header.get_sform(), float), np.asarray(header.get_qform(), float)
    if not (np.isfinite(sform).all() and np.isfinite(qform).all()):
        yield refused(path, "has an sform or a qform that is not finite", UNUSABLE)
        return
    moved = float(np.linalg.norm(sform[:3, 3] - qform[:3, 3]))
    turned = qform.copy()
    turned[:3, 3] = sform[:3, 3]
    # An origin says nothing about slices; axes do.
    if farthest(sform, turned, shape) > SAME_STATEMENT * nib.affines.voxel_sizes(sform).min():
        reason = f"contradicts itself, its axes are {_axes(sform)} by its sform and {_axes(qform)} by its qform"
        yield refused(path, reason, "keep the right one of the two, for example by fslorient -copysform2qform")
    elif moved > SAME_STATEMENT * nib.affines.voxel_sizes(sform).min():
        reason = f"has two origins, {_mm(sform[:3, 3])} mm by its sform and {_mm(qform[:3, 3])} mm by its qform"
        yield doubtful(path, reason, "the sform is taken; see that all files of the subject mean the same place")


def _axes(affine: np.ndarray) -> str:
    columns = "; ".join(_mm(column) for column in affine[:3, :3].T)
    return f"({columns})"


def _mm(values: np.ndarray) -> str:
    return " ".join(f"{value + 0.0:.5g}" for value in values)


def _degrees(cosine: float) -> float:
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))

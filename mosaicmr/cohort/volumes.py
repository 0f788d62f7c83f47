"""Read a subject's image files, and say all that is wrong with those that later stages could not use."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.subject import Subject
from mosaicmr.errors import InputError
from mosaicmr.scans.brain import brain_mask, foreground
from mosaicmr.scans.findings import Finding, finding_of, raise_first_refusal, refused
from mosaicmr.scans.geometry import check_axes, compare_grids
from mosaicmr.scans.image_checks import check_background, check_images
from mosaicmr.scans.image_files import examine_image
from mosaicmr.scans.mask_checks import check_mask, count_not_finite, label_values

LABELS = ""  # the key of a subject's mask beside its modalities


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

    Raises RefusedFile (an InputError) for the first finding of `examine_subject` that refuses a file.
    """
    volumes, findings = examine_subject(subject, scheme)
    raise_first_refusal(findings)
    return volumes


def examine_subject(subject: Subject, scheme: LabelScheme) -> tuple[Volumes | None, list[Finding]]:
    """Read and check all files of a subject; returns its volumes, None if they cannot be read, and all findings.

    Refused are files that cannot be read, or not as one volume of finite real numbers; headers without orientation, or
    that contradict themselves, or of oblique or sheared axes; files of different grids; labels outside the scheme;
    images without a plain background, with a skull, or constant; masks outside the brain or larger than a tumour.
    """
    images, findings = _read_images(subject)
    classes, more = _read_classes(images.get(LABELS), subject.labels, scheme)
    findings += more
    values = {}
    for modality, file in subject.images.items():
        if modality in images:
            values[modality], more = _image_values(images.pop(modality), file)
            findings += more
    if _any_refused(findings):
        return None, findings
    size = _voxel_size(images[LABELS])
    stacked = np.stack([values.pop(modality) for modality in subject.images])
    volumes, more = _find_brain(stacked, classes, size, subject)
    return volumes, findings + more


def image_digest(volumes: Volumes) -> str:
    """A digest of the voxels of a subject's images, by which scans that are in a cohort twice are found."""
    digest = hashlib.sha256(repr(volumes.images.shape).encode())
    for values in volumes.images:
        digest.update(np.ascontiguousarray(values))
    return digest.hexdigest()


def _read_images(subject: Subject) -> tuple[dict[str, nib.Nifti1Image], list[Finding]]:
    """The images of a subject that can be read, by modality, with its mask, and findings about headers and grids."""
    files = {LABELS: subject.labels, **subject.images}
    images: dict[str, nib.Nifti1Image] = {}
    findings: list[Finding] = []
    for name, file in files.items():
        try:
            images[name], more = examine_image(file, subject.channels.get(name))
            findings += [*more, *check_axes(images[name].affine, file)]
        except InputError as error:
            findings.append(finding_of(error, file))
    reference = next(iter(images), None)
    for name in list(images)[1:]:
        findings += compare_grids(images[name], files[name], images[reference], files[reference])
    # Several modalities may be channels of one file.
    return images, list(dict.fromkeys(findings))


def _any_refused(findings: list[Finding]) -> bool:
    return any(finding.severity == "refused" for finding in findings)


def _read_classes(
    image: nib.Nifti1Image | None, path: Path, scheme: LabelScheme
) -> tuple[np.ndarray | None, list[Finding]]:
    if image is None:
        return None, []
    try:
        return scheme.to_classes(label_values(image, path), str(path)), []
    except InputError as error:
        return None, [finding_of(error, path)]


def _image_values(image: nib.Nifti1Image, path: Path) -> tuple[np.ndarray, list[Finding]]:
    values = np.asanyarray(image.dataobj).astype(np.float32)
    bad = count_not_finite(values)
    if bad:
        reason = f"has {bad} voxels that are not finite"
        return values, [refused(path, reason, "set them to 0 or write the file again")]
    return values, []


def _find_brain(
    images: np.ndarray, classes: np.ndarray, voxel_size: tuple[float, float, float], subject: Subject
) -> tuple[Volumes | None, list[Finding]]:
    """The subject's volumes with the brain of its images; None if their background shows none."""
    found = [
        check_background(values, voxel_size, file) for values, file in zip(images, subject.images.values(), strict=True)
    ]
    findings = [finding for _, more in found for finding in more]
    if findings:
        return None, findings
    candidate = foreground(images, [background.value for background, _ in found])
    mask = classes > 0
    brain = brain_mask(candidate | mask)
    bare = brain_mask(candidate) if (mask & ~candidate).any() else brain
    findings += check_images(images, bare, voxel_size, subject.images)
    findings += check_mask(mask, bare, subject.labels)
    return Volumes(images, classes * brain, brain, voxel_size), findings


def _voxel_size(image: nib.Nifti1Image) -> tuple[float, float, float]:
    x, y, z = (float(side) for side in nib.affines.voxel_sizes(image.affine))
    return x, y, z

"""Simulated patients with a glioma, written as BraTS 2021 names and orients its files.

They enter the workflow through the same door as real patients, so a demo and the tests exercise the whole path without
patient data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.io import write_atomically
from mosaicmr.simulation.anatomy import Anatomy, Deformation, random_deformation
from mosaicmr.simulation.contrast import SEQUENCES, tissue_signals, vary_parameters
from mosaicmr.simulation.noise import noise_field
from mosaicmr.simulation.scanner import Scanner, acquire
from mosaicmr.simulation.tissue import HEALTHY, TISSUES, combine, mix, tumour_labels
from mosaicmr.simulation.tumour_growth import grow_tumour, plan_tumour

FIELD = ((-90.0, 90.0), (-110.0, 110.0), (-104.0, 80.0))  # mm (RAS+) to the outer voxels: room for the largest head
SCHEME = LabelScheme.named("brats2021")
HEAD_SCALE = 1.05  # the MNI brain is larger than most: about 181 mm from front to back
LONGEST_BRAIN = 184.0  # mm, so that every simulated head fits a slice of 192 mm with room for rounding to voxels
INTENSITY = 1000.0  # of the brightest healthy tissue, before each image's own gain


@dataclass(frozen=True)
class Phantom:
    """One simulated patient.

    images: int16 [X, Y, Z] of each modality, 0 outside the brain and at least 1 inside; labels: uint8 [X, Y, Z], tumour
    classes; both RAS+. voxel_size: mm. kind: the kind of tumour, as in `tumour_growth.KINDS`.
    """

    images: dict[str, np.ndarray]
    labels: np.ndarray
    voxel_size: float
    kind: str


def simulate_patient(anatomy: Anatomy, generator: torch.Generator, voxel_size: float, tumour_grid: float) -> Phantom:
    """Simulate a patient: anatomy, tumour with mass effect, and the four routine images.

    voxel_size: mm of the images; tumour_grid: mm of the lattice the tumour grows on. Everything random comes from
    `generator`, so a patient depends on no other patient.
    """
    deformation = _fit_head(anatomy, random_deformation(generator))
    plan = plan_tumour(anatomy, deformation, generator)
    tumour = grow_tumour(anatomy, deformation, plan, tumour_grid, generator)
    origin = tumour.pull_back(_voxel_points(voxel_size))
    maps = anatomy.sample(deformation(origin))
    tissue, template = maps[:3], maps[3]
    brain = torch.from_numpy(_one_piece((tissue.sum(0) > 0.5).numpy()))
    lesion = tumour.fractions(origin, tissue, softness=0.4 * voxel_size) * brain
    fractions = combine(tissue, lesion, brain)
    parameters = _patient_parameters(generator, plan.kind)
    images = _draw_images(fractions, parameters, template, generator, voxel_size)
    return Phantom(images, tumour_labels(lesion).numpy(), voxel_size, plan.kind)


def write_patient(phantom: Phantom, files: Mapping[str, str | Path]) -> None:
    """Write a patient as NIfTI, LPS as BraTS is: one file each modality, and the label map under the key `seg`."""
    volumes = {**phantom.images, "seg": SCHEME.from_classes(phantom.labels)}
    size = phantom.voxel_size
    affine = np.diag([-size, -size, size, 1.0])
    affine[1, 3] = (phantom.labels.shape[1] - 1) * size
    for name, file in files.items():
        image = nib.Nifti1Image(np.ascontiguousarray(volumes[name][::-1, ::-1]), affine)
        image.header.set_xyzt_units("mm")
        write_atomically(file, image.to_filename)


def _fit_head(anatomy: Anatomy, deformation: Deformation) -> Deformation:
    """Bring a random head to the size of a real head, and no larger than LONGEST_BRAIN."""
    spacing = 3.0
    matrix = deformation.matrix * HEAD_SCALE
    points = _voxel_points(spacing)
    brain = anatomy.sample(replace(deformation, matrix=matrix)(points))[:3].sum(0) > 0.5
    rows = brain.any(dim=2).any(dim=0).nonzero()
    length = float(rows.max() - rows.min() + 1) * spacing
    return replace(deformation, matrix=matrix * max(1.0, length / LONGEST_BRAIN))


def _voxel_points(voxel_size: float) -> torch.Tensor:
    """Coordinates float32 [X, Y, Z, 3] in mm from the centre of the voxels of the field of view, RAS+."""
    axes = [low + torch.arange(int((high - low) / voxel_size) + 1) * voxel_size for low, high in FIELD]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def _one_piece(mask: np.ndarray) -> np.ndarray:
    pieces, count = ndimage.label(mask)
    return pieces == 1 + np.argmax(np.bincount(pieces.ravel(), minlength=count + 1)[1:])


def _patient_parameters(generator: torch.Generator, kind: str) -> torch.Tensor:
    """Tissue parameters float32 [tissues, 3] of one patient.

    The class of liquid necrosis in most tumours is solid, non-enhancing tumour in others, with a shorter T2.
    """
    parameters = vary_parameters(generator, spread=0.02)  # more would let grey and white matter change places
    if kind == "non-enhancing":
        core, oedema = TISSUES.index("necrosis"), TISSUES.index("oedema")
        parameters[core] = 0.25 * parameters[core] + 0.75 * parameters[oedema]
    return parameters


def _draw_images(
    fractions: torch.Tensor,
    parameters: torch.Tensor,
    template: torch.Tensor,
    generator: torch.Generator,
    voxel_size: float,
) -> dict[str, np.ndarray]:
    """Images int16 [X, Y, Z] of each modality, by signal, texture, scanner and gain.

    fractions: of tissue, float32 [6, X, Y, Z]; parameters: of tissue, float32 [6, 3]; template: the atlas' T1 image,
    float32 [X, Y, Z].
    """
    brain = fractions.sum(0) > 0
    extent = [side * voxel_size for side in brain.shape]
    detail = torch.where(brain, template - F.avg_pool3d(template[None], 5, 1, 2)[0], torch.zeros(()))
    # Structure is the same in every modality, only its weight differs.
    coarse, fine = (noise_field(generator, brain.shape, extent, length) for length in (14.0, 4.5))
    texture = 0.6 * coarse + 0.8 * fine
    lesion = fractions[HEALTHY:].sum(0)
    images = {}
    for modality, sequence in SEQUENCES.items():
        u = torch.rand(5, generator=generator).tolist()
        signals = tissue_signals(parameters, sequence)
        image = mix(fractions, signals / signals[:HEALTHY].max())
        roughness = 0.02 + (0.08 + 0.08 * u[0]) * lesion
        detail_weight = 0.35 if not modality.startswith("T2") else -0.35
        image = image * (1 + roughness * texture + detail_weight * detail)
        scanner = Scanner(bias=0.06 + 0.06 * u[1], bias_length=90.0, blur=0.35 + 0.3 * u[2], noise=0.008 + 0.017 * u[3])
        magnitude = acquire(image, brain, voxel_size, scanner, generator)
        scaled = (magnitude * INTENSITY * (0.4 + 1.6 * u[4])).round().clamp(1, 32767) * brain
        images[modality] = scaled.to(torch.int16).numpy()
    return images

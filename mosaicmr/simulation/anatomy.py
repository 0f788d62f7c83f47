"""A brain to simulate from: the MNI ICBM152 tissue maps, and smooth random deformations of them.

Maps: Fonov et al., NeuroImage 2011 (ICBM 2009a nonlinear symmetric), as carried by nilearn's package, so that nothing
is downloaded. Axes are RAS+ throughout: x to the right, y to the front, z upwards; coordinates are mm from the centre
of the grid.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
import torch.nn.functional as F

from mosaicmr.errors import InputError

MAPS = ("csf", "grey", "white", "template")
FILES = tuple(f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz" for kind in ("t1", "gm", "wm"))
BRAIN_THRESHOLD = 0.2  # of the template's maximum, where nilearn draws the border of the brain


@dataclass(frozen=True)
class Anatomy:
    """Tissue maps on an isotropic grid.

    maps: float32 [4, X, Y, Z] (fractions of CSF, grey and white matter, then the T1 template scaled to [0, 1]);
    voxel_size: mm.
    """

    maps: torch.Tensor
    voxel_size: float

    @property
    def extent(self) -> torch.Tensor:
        """Half the side of the grid along x, y and z in mm, measured to the centres of the outer voxels."""
        return (torch.tensor(self.maps.shape[1:]) - 1) * self.voxel_size / 2

    def sample(self, points: torch.Tensor) -> torch.Tensor:
        """Trilinear values at points (float [..., 3], mm from the centre): float32 [4, ...], 0 outside the grid."""
        grid = (points / self.extent).flip(-1).reshape(1, 1, 1, -1, 3)
        values = F.grid_sample(self.maps[None], grid, mode="bilinear", padding_mode="zeros", align_corners=True)
        return values.reshape(len(MAPS), *points.shape[:-1])


@lru_cache(maxsize=1)
def load_anatomy() -> Anatomy:
    """The MNI maps at 1 mm, brain only, tissue fractions sharpened so that a voxel is mostly one tissue.

    The population average is blurred; cubing and renormalising the fractions gives back the crisp tissue borders
    that a single brain has.
    """
    template, grey, white = (_read(name) for name in FILES)
    inside = template > BRAIN_THRESHOLD
    fractions = np.stack([np.clip(1 - grey - white, 0, 1), grey, white]) * inside
    fractions = fractions**3
    fractions = fractions / np.maximum(fractions.sum(0), 1e-6) * inside
    scaled = np.clip(template / np.percentile(template[inside], 99.5), 0, 1) * inside
    maps = np.concatenate([fractions, scaled[None]]).astype(np.float32)
    return Anatomy(torch.from_numpy(maps), voxel_size=1.0)


def _read(name: str) -> np.ndarray:
    """A map of nilearn's package in RAS+, scaled to a maximum of 1.

    Read as a file: importing nilearn takes longer than simulating a patient.
    """
    package = find_spec("nilearn")
    path = Path(package.submodule_search_locations[0], "datasets", "data", name) if package else None
    if path is None or not path.is_file():
        raise InputError(
            f"The MNI maps of the package nilearn are not installed ({name}): run `make venv`, or use the environment "
            f"envs/imaging.yaml."
        )
    data = np.asarray(nib.as_closest_canonical(nib.load(path)).dataobj, dtype=np.float32)
    return data / data.max()


@dataclass(frozen=True)
class Deformation:
    """A smooth map from a simulated brain's coordinates to the atlas's: y = A x + u(x), in mm.

    matrix: float32 [3, 3]; fields: displacements in mm on coarse grids, each float32 [3, a, b, c] spanning a cube of
    half side `half_side` mm about the centre.
    """

    matrix: torch.Tensor
    fields: tuple[torch.Tensor, ...]
    half_side: float = 120.0

    def __call__(self, points: torch.Tensor) -> torch.Tensor:
        """Atlas coordinates (float [..., 3], mm) of points (float [..., 3], mm)."""
        result = points @ self.matrix.T
        grid = (points / self.half_side).flip(-1).reshape(1, 1, 1, -1, 3)
        for field in self.fields:
            moved = F.grid_sample(field[None], grid, mode="bilinear", padding_mode="border", align_corners=True)
            result = result + moved.reshape(3, -1).T.reshape(points.shape)
        return result


def random_deformation(generator: torch.Generator, strength: float = 1.0) -> Deformation:
    """A random head: rotation by a few degrees, size by a few per cent, and displacements at three scales.

    strength 1 gives displacements of about 4 mm at 60 mm, 2.2 mm at 24 mm and 1.2 mm at 10 mm between grid points:
    the coarse displacements change the shape of the head and of the ventricles, the fine displacements its folding.
    """
    angles = torch.randn(3, generator=generator) * 0.06 * strength
    scales = 1 + torch.randn(3, generator=generator) * 0.05 * strength
    matrix = _rotation(angles) @ torch.diag(scales)
    fields = tuple(
        _displacements(generator, count) * amplitude * strength for count, amplitude in ((5, 4.0), (11, 2.2), (25, 1.2))
    )
    return Deformation(matrix, fields)


def _rotation(angles: torch.Tensor) -> torch.Tensor:
    skew = torch.zeros(3, 3)
    skew[0, 1], skew[0, 2], skew[1, 2] = -angles[2], angles[1], -angles[0]
    return torch.linalg.matrix_exp(skew - skew.T)


def _displacements(generator: torch.Generator, count: int) -> torch.Tensor:
    """Displacements [3, 2 count, 2 count, 2 count] of unit variance, smooth between `count` independent values a side.

    Unlike `noise_field` it stays coarse, because a deformation is sampled at any point. It is upsampled and averaged
    once, so that trilinear sampling shows no kinks.
    """
    coarse = torch.randn(1, 3, count, count, count, generator=generator)
    fine = F.interpolate(coarse, scale_factor=2, mode="trilinear", align_corners=True)
    fine = F.avg_pool3d(fine, kernel_size=3, stride=1, padding=1, count_include_pad=False)
    return (fine / fine.std())[0]

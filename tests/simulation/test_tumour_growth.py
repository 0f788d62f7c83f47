"""The growth equation and the mass effect, on tissue maps that are simple enough to know the answer."""

import dataclasses

import pytest
import torch

from mosaicmr.simulation.anatomy import Anatomy
from mosaicmr.simulation.tumour_growth import TumourPlan, grow_tumour

GRID = 4.0
SIDE = 81  # voxels of 2 mm
PLAN = TumourPlan(
    seed=torch.zeros(3),
    volume=20000.0,
    length=3.0,
    grey_ratio=0.1,
    kind="necrotic",
    core=0.4,
    necrosis=0.4,
    pressure=4.0,
)


def identity(points):
    return points


def anatomy_of(tissue):
    """An atlas of three tissue maps [3, X, Y, Z]."""
    return Anatomy(torch.cat([tissue, tissue.sum(0, keepdim=True)]), voxel_size=2.0)


@pytest.fixture
def half_grey():
    """White matter to the right of x = 0 and grey matter to the left, in a cube."""
    tissue = torch.zeros(3, SIDE, SIDE, SIDE)
    tissue[1, : SIDE // 2] = 1
    tissue[2, SIDE // 2 :] = 1
    return anatomy_of(tissue)


@pytest.fixture
def wall():
    """White matter but for a wall of CSF at 8 to 14 mm to the right."""
    tissue = torch.zeros(3, SIDE, SIDE, SIDE)
    tissue[2] = 1
    tissue[:, SIDE // 2 + 4 : SIDE // 2 + 8] = 0
    tissue[0, SIDE // 2 + 4 : SIDE // 2 + 8] = 1
    return anatomy_of(tissue)


def grow(anatomy, **changes):
    return grow_tumour(anatomy, identity, dataclasses.replace(PLAN, **changes), GRID, torch.Generator().manual_seed(0))


def lattice():
    axis = torch.arange(-60.0, 61.0, 4.0)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)


def lesion_at(anatomy, tumour, points):
    return tumour.fractions(points, anatomy.sample(points)[:3], softness=0.5)


def test_it_grows_further_in_white_than_in_grey_matter(half_grey):
    points = lattice()
    lesion = lesion_at(half_grey, grow(half_grey), points).sum(0)
    in_white, in_grey = lesion[points[..., 0] > 0].sum(), lesion[points[..., 0] < 0].sum()
    assert in_white > 1.5 * in_grey > 0


def test_it_does_not_cross_csf(wall):
    points = lattice()
    lesion = lesion_at(wall, grow(wall), points).sum(0)
    assert lesion[points[..., 0] < 8].sum() > 100
    assert lesion[points[..., 0] > 18].sum() < 1


def test_it_stops_at_the_planned_volume(half_grey):
    volumes = []
    for volume in (10000.0, 40000.0):
        tumour = grow(half_grey, volume=volume)
        volumes.append(float(lesion_at(half_grey, tumour, lattice()).sum()) * 64)
    assert volumes[0] == pytest.approx(10000, rel=0.5)
    assert volumes[1] == pytest.approx(40000, rel=0.5)


@pytest.mark.parametrize(
    ("kind", "necrosis", "present"),
    [("necrotic", 0.4, (True, True)), ("solid", 0.0, (False, True)), ("non-enhancing", 1.0, (True, False))],
)
def test_the_kind_decides_on_necrosis_and_enhancement(half_grey, kind, necrosis, present):
    lesion = lesion_at(half_grey, grow(half_grey, kind=kind, necrosis=necrosis), lattice())
    assert tuple(bool((share > 0.5).any()) for share in (lesion[0], lesion[2])) == present
    assert (lesion[1] > 0.5).any()


def test_fractions_are_shares(half_grey):
    lesion = lesion_at(half_grey, grow(half_grey), lattice())
    assert lesion.min() >= 0
    assert lesion.sum(0).max() <= 1 + 1e-5


def test_tissue_is_pushed_away_from_the_core_without_folding(half_grey):
    tumour = grow(half_grey)
    points = lattice()
    origin = tumour.pull_back(points)
    shift = points - origin
    assert 1 < float(shift.norm(dim=-1).max()) <= PLAN.pressure + 1e-3
    outwards = (shift * points).sum(-1)[points.norm(dim=-1).sub(30).abs() < 8]
    assert (outwards >= -1e-3).float().mean() > 0.95
    for axis in range(3):
        assert (origin[..., axis].diff(dim=axis) > 0).all()

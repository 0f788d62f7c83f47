"""One scan reads the same whatever its format, its container, its orientation and its fourth axis."""

import gzip
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from mosaicmr.errors import InputError
from mosaicmr.scans.geometry import compare_grids
from mosaicmr.scans.image_files import examine_image, read_image
from tests.support.scans import make_volumes, write_nifti

SPACING, ORIGIN = (1.0, 2.0, 3.0), (-20.0, 5.0, 70.0)
AXES = [
    "".join(side[turn] for side, turn in zip(order, turns, strict=True))
    for order in permutations(("LR", "PA", "IS"))
    for turns in product((0, 1), repeat=3)
]


@pytest.fixture(scope="module")
def scan() -> nib.Nifti1Image:
    """An image of three different spacings away from the origin, in RAS+."""
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = ORIGIN
    return nib.Nifti1Image(make_volumes()[0].astype(np.int16), affine)


def stored_along(scan: nib.Nifti1Image, axes: str) -> nib.Nifti1Image:
    orientation = nib.orientations.axcodes2ornt(axes)
    return scan.as_reoriented(nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), orientation))


def assert_same(path: Path, scan: nib.Nifti1Image, channel: int | None = None) -> None:
    image = read_image(path, channel)
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), np.asanyarray(scan.dataobj))
    np.testing.assert_allclose(image.affine, scan.affine, atol=1e-4)
    assert image.get_data_dtype() == np.asanyarray(image.dataobj).dtype


def test_there_are_48_orientations():
    assert len(set(AXES)) == 48


@pytest.mark.parametrize("axes", AXES)
def test_every_orientation_gives_the_same_volume(tmp_path, scan, axes):
    nib.save(stored_along(scan, axes), tmp_path / "a.nii")
    assert_same(tmp_path / "a.nii", scan)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".mhd", ".NRRD", ".MHA"])
@pytest.mark.parametrize("axes", ["RAS", "LPS", "PIR"])
def test_formats_of_itk_give_the_same_volume_as_nifti(tmp_path, scan, suffix, axes, compressed):
    nib.save(stored_along(scan, axes), tmp_path / "a.nii")
    path = tmp_path / f"a{suffix.lower()}"
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(tmp_path / "a.nii")), str(path), compressed)
    assert_same(path.rename(path.with_suffix(suffix)), scan)


@pytest.mark.parametrize("space", ["right-anterior-superior", "RAS"])
def test_nrrd_of_another_space_is_turned(tmp_path, scan, space):
    header = f"NRRD0004\ntype: int16\ndimension: 3\nspace: {space}\nsizes: 30 36 24\nendian: little\nencoding: raw\n"
    place = "space directions: (1,0,0) (0,2,0) (0,0,3)\nspace origin: (-20,5,70)\n\n"
    voxels = np.asanyarray(scan.dataobj).astype("<i2").tobytes(order="F")
    (tmp_path / "a.nrrd").write_bytes((header + place).encode() + voxels)
    assert_same(tmp_path / "a.nrrd", scan)


def test_content_decides_and_not_the_name(tmp_path, scan):
    nib.save(scan, tmp_path / "a.nii")
    plain = (tmp_path / "a.nii").read_bytes()
    for name, data in {
        "packed.nii": gzip.compress(plain),
        "UPPER.NII.GZ": gzip.compress(plain),
        "plain.nii.gz": plain,
        "twice.img": plain,
    }.items():
        (tmp_path / name).write_bytes(data)
        assert_same(tmp_path / name, scan)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("order", "<>")
def test_both_versions_and_byte_orders_are_read(tmp_path, scan, kind, order):
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.dtype("i2").newbyteorder(order))
    nib.save(kind(np.asanyarray(scan.dataobj), scan.affine, header), tmp_path / "a.nii.gz")
    assert_same(tmp_path / "a.nii.gz", scan)


@pytest.mark.parametrize("shape", [(30, 36, 24, 1), (30, 36, 24, 1, 1)])
def test_further_axes_of_one_are_dropped(tmp_path, scan, shape):
    nib.save(nib.Nifti1Image(np.asanyarray(scan.dataobj).reshape(shape), scan.affine), tmp_path / "a.nii")
    assert_same(tmp_path / "a.nii", scan)
    assert_same(tmp_path / "a.nii", scan, channel=0)


@pytest.mark.parametrize("axis", [3, 4])
def test_a_channel_of_several_is_taken(tmp_path, scan, axis):
    voxels = np.asanyarray(scan.dataobj)
    many = np.stack([voxels + 1, voxels, voxels * 2], axis=-1)
    nib.save(nib.Nifti1Image(many if axis == 3 else many[:, :, :, None], scan.affine), tmp_path / "a.nii")
    assert_same(tmp_path / "a.nii", scan, channel=1)
    with pytest.raises(InputError, match="has 3 volumes and no channel 3: correct"):
        read_image(tmp_path / "a.nii", channel=3)
    with pytest.raises(InputError, match="3 volumes .*: name the channel"):
        read_image(tmp_path / "a.nii")


def test_a_channel_of_a_vector_image_is_taken(tmp_path, scan):
    nib.save(scan, tmp_path / "a.nii")
    image = SimpleITK.ReadImage(str(tmp_path / "a.nii"))
    SimpleITK.WriteImage(SimpleITK.Compose(image + 1, image), str(tmp_path / "a.nrrd"), True)
    assert_same(tmp_path / "a.nrrd", scan, channel=1)


def test_a_slope_scales_voxels(tmp_path, scan):
    nib.save(scan, tmp_path / "a.nii")
    data = bytearray((tmp_path / "a.nii").read_bytes())
    data[112:120] = np.array([0.5, -3], "<f4").tobytes()
    (tmp_path / "a.nii").write_bytes(data)
    expected = np.asanyarray(scan.dataobj) * 0.5 - 3
    np.testing.assert_allclose(np.asanyarray(read_image(tmp_path / "a.nii").dataobj), expected)


def test_only_resampling_reads_oblique_images(tmp_path, scan):
    cosine, sine = np.cos(0.3), np.sin(0.3)
    turn = np.array([[1, 0, 0, 0], [0, cosine, -sine, 0], [0, sine, cosine, 0], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(np.asanyarray(scan.dataobj), turn @ scan.affine), tmp_path / "a.nii")
    with pytest.raises(InputError, match=r"oblique, .* turned by 17 degrees.*resample"):
        read_image(tmp_path / "a.nii")
    np.testing.assert_allclose(read_image(tmp_path / "a.nii", straight=False).affine, turn @ scan.affine, atol=1e-4)


@pytest.mark.parametrize(("voxel", "moved", "same"), [(1.0, 0.02, True), (1.0, 0.3, False), (0.2, 0.03, False)])
def test_origins_may_differ_by_a_small_part_of_a_voxel(tmp_path, voxel, moved, same):
    image = nib.Nifti1Image(make_volumes()[0], np.diag([voxel, voxel, voxel, 1]))
    affine = image.affine.copy()
    affine[0, 3] += moved
    findings = list(compare_grids(nib.Nifti1Image(image.dataobj, affine), Path("a"), image, Path("b")))
    assert (not findings) == same


def test_two_origins_in_a_header_are_doubtful_only(tmp_path):
    write_nifti(tmp_path / "a.nii", make_volumes()[0])
    image = nib.load(tmp_path / "a.nii")
    other = image.affine.copy()
    other[:3, 3] += 30
    image.set_qform(other, 1)
    nib.save(image, tmp_path / "b.nii")
    (finding,) = examine_image(tmp_path / "b.nii")[1]
    assert finding.severity == "doubtful" and "two origins" in finding.reason

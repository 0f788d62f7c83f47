"""Bad inputs of many kinds: the file that each spoils, how, and what the refusal must say."""

import gzip
import os
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.support.heads import CONTRASTS, VOXEL, brain_image, head_image
from tests.support.scans import BRAIN, SHAPE, make_volumes, write_nifti
from tests.support.spoiling import Spoil, affine, content, cut, edit, itk, noise, raw_header, rewrite, set_value, turned

CASES: list = []


def bad(kind: str, name: object, file: str, message: str, spoil: Spoil) -> None:
    """A case: `spoil` changes the files of a scan so that `file` is refused with a message."""
    CASES.append(pytest.param(file, message, spoil, id=f"{kind}: {name}"))


for share in (0.001, 0.01, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 0.99, 0.999):
    for file in ("T1ce", "seg"):
        bad(
            "truncated gzip",
            f"{file} {share}",
            file,
            r"cannot be read.*copy or download it again",
            content(file, cut(share)),
        )
for file in ("FLAIR", "T1ce", "seg"):
    bad("zero bytes", file, file, r"empty \(0 bytes\): copy or download", content(file, lambda data: b""))
    bad("missing", file, file, "does not exist: add the file", lambda files, file=file: files[file].unlink())
for value in (np.nan, np.inf, -np.inf):
    for file in ("FLAIR", "T1ce", "seg"):
        bad(
            "not finite",
            f"{file} {value}",
            file,
            r"\d+ voxels that are not finite: set",
            rewrite(file, set_value(value)),
        )
for axis in (1, 2, 3):
    for value in (0.0, np.nan, np.inf, 5.0):
        bad("pixdim", f"{axis} {value}", "T1ce", r"pixdim.*: (correct|write)", raw_header("T1ce", pixdim=(axis, value)))
    for value in (1e-6, 0.01, 0.04, 25.0, 1000.0):
        scale = np.ones(4)
        scale[axis - 1] = value / 2
        bad(
            "spacing",
            f"{axis} {value}",
            "T1ce",
            r"voxels of .* mm .*: (correct|write)",
            affine(lambda m, s=scale: m * s, "T1ce"),
        )
for name, matrix in {
    "equal columns": [[2, 2, 0, 0], [0, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]],
    "flat": [[2, 0, 1, 0], [0, 2, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]],
    "nan": [[np.nan, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]],
    "inf": [[2, 0, 0, np.inf], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]],
}.items():
    rows = {f"srow_{axis}": np.array(row, np.float32) for axis, row in zip("xyz", matrix, strict=False)}
    bad(
        "singular",
        name,
        "T1ce",
        r"(axes coincide|not finite|contradicts).*: (write|correct)",
        raw_header("T1ce", **rows),
    )
for value in (0.5, 1.01, 1.5, 3.99, -1.2, 1e20):
    bad("float labels", value, "seg", r"has the label .*expected whole numbers", rewrite("seg", set_value(value)))
for value in (-1, 3, 5, 255):
    bad(
        "other labels",
        value,
        "seg",
        rf"has the label {value}, which",
        rewrite("seg", lambda v, x=value: set_value(x)(v).astype(np.int16)),
    )
for name, fields in {
    "no axes": {"dim": (0, 0)},
    "many axes": {"dim": (0, 8)},
    "negative axes": {"dim": (0, -3)},
    "two axes": {"dim": (0, 2)},
    "zero side": {"dim": (1, 0)},
    "negative side": {"dim": (2, -36)},
    "huge": {"dim": np.array([3, 32767, 32767, 32767, 1, 1, 1, 1])},
    "huge plane": {"dim": np.array([3, 32767, 32767, 1, 1, 1, 1, 1])},
    "long": {"dim": (3, 32767)},
    "huge fourth axis": {"dim": np.array([4, 30, 36, 24, 32767, 1, 1, 1])},
    "far voxels": {"vox_offset": 1e9},
    "no offset": {"vox_offset": 0},
    "lost offset": {"vox_offset": np.nan},
}.items():
    for file in ("T1ce", "seg"):
        bad("dimensions", f"{file} {name}", file, r"(has the shape|cannot be read).*: \w+", raw_header(file, **fields))
for name, kind in {
    "complex64": 32,
    "complex128": 1792,
    "rgb": 128,
    "rgba": 2304,
    "bits": 1,
    "unknown": 999,
    "none": 0,
}.items():
    bad("type", name, "T1ce", r"(voxels of type|cannot be read).*: \w+", raw_header("T1ce", datatype=kind))
for value in (0, 7, -1):
    bad(
        "constant",
        f"all {value}",
        "T1ce",
        rf"is empty, all its voxels are {value}: replace",
        rewrite("T1ce", lambda v, x=value: np.full_like(v, x)),
    )
    inside = lambda v, x=value + 2: np.where(v > 0, np.float32(x), np.float32(0))  # noqa: E731
    bad(
        "constant",
        f"brain {value + 2}",
        "T1ce",
        rf"same value {value + 2} all over the brain: replace",
        rewrite("T1ce", inside),
    )


def forms(sform: np.ndarray, qform: np.ndarray, codes=(1, 1)) -> Spoil:
    def spoil(files: dict[str, Path]) -> None:
        image = nib.Nifti1Image(np.asanyarray(nib.load(files["T1ce"]).dataobj), None)
        image.set_sform(sform, codes[0])
        image.set_qform(qform, codes[1])
        image.header["pixdim"][1:4] = np.abs(np.diag(qform)[:3])
        nib.save(image, files["T1ce"])

    return spoil


straight = np.diag([2.0, 2, 2, 1])
bad(
    "contradiction",
    "sizes",
    "T1ce",
    r"3 3 3 mm by its sform and 2 2 2 mm by its pixdim",
    forms(np.diag([3.0, 3, 3, 1]), straight),
)
bad(
    "contradiction",
    "sform alone",
    "T1ce",
    r"1.5 2 2 mm by its sform and 2 2 2 mm by its pixdim",
    forms(np.diag([1.5, 2, 2, 1]), straight, (1, 0)),
)
for name, other in {
    "left": [-2.0, 2, 2, 1],
    "front": [2.0, -2, 2, 1],
    "top": [2.0, 2, -2, 1],
    "BraTS": [-2.0, -2, 2, 1],
}.items():
    bad(
        "contradiction",
        name,
        "T1ce",
        r"axes are \(2 0 0.*by its sform and \(.*by its qform: keep",
        forms(straight, np.diag(other)),
    )
bad(
    "contradiction", "turned", "T1ce", "by its sform and .* by its qform: keep", forms(straight, turned(2, 8)(straight))
)
bad(
    "no orientation",
    "codes 0",
    "T1ce",
    r"sform_code and qform_code are 0\): write",
    raw_header("T1ce", sform_code=0, qform_code=0),
)
for axis, other in ((0, 1), (1, 2), (0, 2)):
    for amount in (0.1, 0.6):

        def shear(m, place=(axis, other), amount=amount):
            m[place] += amount
            return m

        bad(
            "shear",
            f"{axis}{other} {amount}",
            "T1ce",
            "sheared.*degrees apart.*resample",
            affine(shear),
        )
for axis in range(3):
    for degrees in (-30, 8, 20):
        bad(
            "oblique",
            f"{axis} {degrees}",
            "T1ce",
            rf"oblique.*turned by {abs(degrees)} degrees.*resample",
            affine(turned(axis, degrees)),
        )
for axis, shift in ((0, 14), (0, -6), (1, 12), (2, 8)):
    bad(
        "mask outside",
        f"{axis} {shift}",
        "seg",
        r"% of the mask lies where all of them are background: expected",
        rewrite("seg", lambda v, a=axis, s=shift: np.roll(v, s, a)),
    )
bad("mask large", "everywhere", "seg", "more than a tumour can be, as much as", rewrite("seg", np.ones_like))


def filled(values: np.ndarray, share: float = 1.0) -> np.ndarray:
    values[BRAIN][: int(20 * share)] = 1
    return values


for share in (0.6, 0.8, 1.0):
    bad(
        "mask large",
        share,
        "seg",
        "more than a tumour can be.*% of the brain: expected",
        rewrite("seg", lambda v, s=share: filled(v, s)),
    )
for name, change in {
    "noise": noise(0, 5),
    "noise about 0": noise(-3, 3),
    "small whole noise": lambda v: v + np.random.default_rng(1).poisson(2, v.shape),
    "ramp": lambda v: v + np.arange(SHAPE[0], dtype=np.float32)[:, None, None],
    "padded": lambda v: np.pad(v[2:-2, 2:-2, 1:-1] - 50, ((2, 2), (2, 2), (1, 1))),
}.items():
    bad(
        "no background",
        name,
        "T1ce",
        "background.*: .*one value",
        rewrite("T1ce", lambda v, c=change: c(v).astype(np.float32)),
    )


def head(contrast: str, **settings) -> Spoil:
    def spoil(files: dict[str, Path]) -> None:
        image = head_image(contrast, **settings)
        labels = np.zeros(image.shape, np.uint8)
        labels[40:44, 50:54, 50:54] = 1
        for file, values in {"FLAIR": brain_image("FLAIR"), "T1ce": image, "seg": labels}.items():
            write_nifti(files[file], values, voxel_size=VOXEL)

    return spoil


for contrast in CONTRASTS:
    for masked in (False, True):
        bad(
            "skull",
            f"{contrast} {masked}",
            "T1ce",
            "shows a head with its skull.*strip",
            head(contrast, masked=masked),
        )
for name, data in {
    "text": b"no image at all" * 100,
    "web page": b"<!DOCTYPE html><html>" * 50,
    "zip": b"PK\x03\x04" + bytes(600),
    "png": b"\x89PNG\r\n\x1a\n" + bytes(600),
    "DICOM": bytes(128) + b"DICM" + bytes(600),
    "compressed text": gzip.compress(b"no image at all" * 100),
    "zeros": bytes(4000),
    "Mac": b"\0\5\x16\7" + bytes(2000),
}.items():
    bad("format", name, "T1ce", r"(known here|DICOM).*NIfTI.*NRRD", content("T1ce", lambda old, data=data: data))
bad("format", "pair", "T1ce", "half of a pair.*: convert", raw_header("T1ce", magic=b"ni1"))
for name, change in {
    "shape": lambda files: write_nifti(files["T1ce"], make_volumes()[0][:-1]),
    "spacing": lambda files: write_nifti(files["T1ce"], make_volumes()[0], voxel_size=2.5),
    "moved": affine(lambda m: np.array([[1, 0, 0, 3.0], *np.eye(4)[1:]]) @ m, "T1ce"),
    "slightly turned": affine(turned(2, 1.5), "T1ce"),
}.items():
    bad("grids", name, "T1ce", r"(shape|elsewhere).*one grid; register", change)
for name, shape in {"two": (2,), "five axes": (1, 3), "two axes": (2, 2)}.items():
    many = lambda v, s=shape: np.broadcast_to(v.reshape(*v.shape, *([1] * len(s))), (*v.shape, *s)).copy()  # noqa: E731

    def write_many(files, many=many):
        nib.save(nib.Nifti1Image(many(make_volumes()[0]), np.diag([2.0, 2, 2, 1])), files["T1ce"])

    bad("volumes", name, "T1ce", r"\d volumes.*one volume.*: name the channel", write_many)


def follow(file: str, size: int) -> Spoil:
    """Put zeros behind a file's voxels, compressed to a thousandth."""
    return content(file, lambda data: gzip.compress(gzip.decompress(data) + bytes(size), 1))


for file, size in (("T1ce", 2**27), ("T1ce", 2**20), ("seg", 2**20)):
    bad("bomb", f"{file} {size}", file, "more than the .* bytes that its header announces: copy", follow(file, size))


def unfold_more(path: Path) -> None:
    data = path.read_bytes()
    place = data.index(b"ElementDataFile = LOCAL\n") + 24
    path.write_bytes(data[:place] + zlib.compress(bytes(2**27), 1))


bad("bomb", "mha", "T1ce", "more than .* bytes.*: copy", itk(".mha", unfold_more))
bad(
    "bomb",
    "mha sides",
    "T1ce",
    "has the shape.*: replace",
    itk(".mha", edit(lambda d: d.replace(b"DimSize = 30 36 24", b"DimSize = 30000 36000 24000"))),
)
bad(
    "bomb",
    "nrrd sides",
    "T1ce",
    "has the shape.*: replace",
    itk(".nrrd", edit(lambda d: d.replace(b"sizes: 30 36 24", b"sizes: 30000 36000 24000"))),
)
for suffix in (".mha", ".nrrd"):
    for share in (0.05, 0.5, 0.9, 0.99):
        for packed in (True, False):
            bad(
                "truncated",
                f"{suffix} {share} {packed}",
                "T1ce",
                r"cannot be read.*: copy",
                itk(suffix, edit(cut(share)), packed),
            )
for name in ("../other.raw", "/etc/passwd", "LIST", "slice%03d.raw 1 24 1", "absent.raw"):
    change = edit(lambda d, name=name: d.replace(b"= other.raw", b"= " + name.encode()))
    bad("voxels elsewhere", name, "T1ce", "as the file of its voxels.*: write", itk(".mhd", change, compressed=False))
change = edit(lambda d: d.split(b"\n\n")[0] + b"\ndata file: /etc/passwd\n\n")
bad("voxels elsewhere", "nrrd", "T1ce", "'/etc/passwd' as the file of its voxels.*: write", itk(".nrrd", change))
bad(
    "no orientation",
    "mha",
    "T1ce",
    "lacks 'TransformMatrix'",
    itk(".mha", edit(lambda d: d.replace(b"TransformMatrix", b"TransportMatrix"))),
)
bad(
    "no orientation",
    "nrrd",
    "T1ce",
    "lacks 'space'",
    itk(".nrrd", edit(lambda d: d.replace(b"space: left-posterior-superior", b"space dimension: 3"))),
)


def folder(files: dict[str, Path]) -> None:
    files["T1ce"].unlink()
    files["T1ce"].mkdir()


def pipe(files: dict[str, Path]) -> None:
    files["T1ce"].unlink()
    os.mkfifo(files["T1ce"])


def lost_link(files: dict[str, Path]) -> None:
    files["T1ce"].unlink()
    files["T1ce"].symlink_to("nowhere.nii.gz")


bad("unreadable", "folder", "T1ce", "is a folder.*: name the file", folder)
bad("unreadable", "pipe", "T1ce", "no ordinary file: put", pipe)
bad("unreadable", "lost link", "T1ce", "does not exist: add", lost_link)

"""Bad inputs of many kinds: each is refused in one sentence that names the file and a remedy, in bounded memory."""

import gzip
import os
import re
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.subject import Subject
from mosaicmr.cohort.volumes import examine_subject, image_digest, load_volumes
from mosaicmr.errors import InputError
from mosaicmr.scans.findings import find_duplicates
from mosaicmr.scans.image_files import read_image
from mosaicmr.sources.subjects import find_subjects
from tests.support.heads import CONTRASTS, VOXEL, brain_image, head_image
from tests.support.scans import BRAIN, SHAPE, make_volumes, write_nifti, write_scan

MODALITIES = ["FLAIR", "T1ce"]
SCHEME = LabelScheme.named("brats2021")
MOST_MEMORY = 2**26  # bytes; the scans here take less than a hundredth
Spoil = Callable[[dict[str, Path]], None]
CASES: list = []


def bad(kind: str, name: object, file: str, message: str, spoil: Spoil) -> None:
    """A case: `spoil` changes the files of a scan so that `file` is refused with a message."""
    CASES.append(pytest.param(file, message, spoil, id=f"{kind}: {name}"))


def rewrite(file: str, change: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    """Change the voxels of a file, in RAS+."""

    def spoil(files: dict[str, Path]) -> None:
        write_nifti(files[file], change(np.asanyarray(nib.load(files[file]).dataobj).copy()))

    return spoil


def content(file: str, change: Callable[[bytes], bytes]) -> Spoil:
    """Change the bytes of a file."""
    return lambda files: files[file].write_bytes(change(files[file].read_bytes())) and None


def raw_header(file: str, **fields) -> Spoil:
    """Write fields of a NIfTI header as they are, without checks; a pair (index, value) sets one element."""

    def change(data: bytes) -> bytes:
        data = gzip.decompress(data)
        header = nib.Nifti1Header(data[:348], check=False)
        for name, value in fields.items():
            if isinstance(value, tuple):
                header[name][value[0]] = value[1]
            else:
                header[name] = value
        return gzip.compress(header.binaryblock + data[348:], compresslevel=1)

    return content(file, change)


def affine(change: Callable[[np.ndarray], np.ndarray], *names: str) -> Spoil:
    """Write the affine of all files, or of some, as sform without a qform."""

    def spoil(files: dict[str, Path]) -> None:
        for name in names or files:
            image = nib.load(files[name])
            nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj), change(image.affine.copy())), files[name])

    return spoil


def turned(axis: int, degrees: float) -> Callable[[np.ndarray], np.ndarray]:
    """A rotation about an axis of the patient's."""
    one, other = {0, 1, 2} - {axis}
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(4)
    matrix[one, one] = matrix[other, other] = cosine
    matrix[one, other], matrix[other, one] = -sine, sine
    return lambda before: matrix @ before


def itk(suffix: str, change: Callable[[Path], None] = lambda path: None, compressed: bool = True) -> Spoil:
    """Write T1ce in another format, and change that file."""

    def spoil(files: dict[str, Path]) -> None:
        image, _ = make_volumes()
        written = SimpleITK.GetImageFromArray(image.astype(np.int16).transpose())
        written.SetSpacing((2.0, 2.0, 2.0))
        written.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
        path = files["T1ce"] = files["T1ce"].with_name(f"other{suffix}")
        SimpleITK.WriteImage(written, str(path), compressed)
        change(path)

    return spoil


def edit(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(change(path.read_bytes())) and None


def cut(share: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(share * len(data))]


def set_value(value: float, count: int = 5) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values = values.astype(np.float32)
        values[10:12, 24:27, 15 : 15 + count] = value
        return values

    return change


def noise(low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: values + np.random.default_rng(1).uniform(low, high, values.shape).astype(np.float32)


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


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """The files of a good scan."""
    return write_scan(tmp_path, "BraTS2021_00001", MODALITIES)


def subject_of(files: dict[str, Path], **changes) -> Subject:
    images = {modality: files[modality] for modality in MODALITIES}
    return replace(Subject("S1", "P1", images, files["seg"]), **changes)


@pytest.mark.parametrize(("file", "message", "spoil"), CASES)
def test_a_bad_input_is_refused_in_one_sentence(files, file, message, spoil):
    spoil(files)
    tracemalloc.start()
    _, findings = examine_subject(subject_of(files), SCHEME)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MOST_MEMORY
    about = [finding for finding in findings if finding.file == files[file] and finding.severity == "refused"]
    assert about
    assert any(re.search(message, finding.sentence) for finding in about), about
    for finding in findings:
        assert finding.reason and finding.remedy
        assert finding.sentence.startswith(str(finding.file)) and finding.sentence.endswith(".")
        assert "\n" not in finding.sentence


def test_the_first_refusal_is_raised(files):
    files["seg"].unlink()
    files["T1ce"].unlink()
    _, findings = examine_subject(subject_of(files), SCHEME)
    with pytest.raises(InputError) as error:
        load_volumes(subject_of(files), SCHEME)
    assert len(findings) == 2 and str(error.value) == findings[0].sentence


def test_there_are_two_hundred_bad_inputs_of_twenty_kinds():
    assert len(CASES) >= 200
    assert len({case.id.split(":")[0] for case in CASES}) >= 20


def test_the_scan_that_the_bad_inputs_spoil_is_good(files):
    volumes, findings = examine_subject(subject_of(files), SCHEME)
    assert volumes is not None
    # The two images of the test scan are the same.
    assert [finding.severity for finding in findings] == ["doubtful"]
    assert "same voxels" in findings[0].reason


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".nrrd"])
def test_a_flipped_bit_is_noticed_or_changes_nothing(tmp_path, suffix):
    image, _ = make_volumes()
    path = tmp_path / f"image{suffix}"
    written = SimpleITK.GetImageFromArray(image.astype(np.int16).transpose())
    SimpleITK.WriteImage(written, str(path), True)
    good = path.read_bytes()
    begin = {
        ".nii.gz": 0,
        ".mha": good.index(b"LOCAL\n") + 6 if suffix == ".mha" else 0,
        ".nrrd": good.find(b"\n\n") + 2,
    }
    voxels = np.asanyarray(read_image(path).dataobj)
    refused = []
    for place in np.random.default_rng(0).integers(8 * begin[suffix], 8 * len(good), 60):
        data = bytearray(good)
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(data)
        try:
            np.testing.assert_array_equal(np.asanyarray(read_image(path).dataobj), voxels)
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 50
    assert all(sentence.startswith(str(path)) for sentence in refused)


def test_a_file_without_permission_is_refused(files, monkeypatch):
    def deny(path, *arguments, **settings):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    _, findings = examine_subject(subject_of(files), SCHEME)
    assert len(findings) == 3
    assert all(
        "cannot be opened (Permission denied): make the file readable" in finding.sentence for finding in findings
    )


def test_all_faults_of_a_scan_are_said(files):
    content("FLAIR", cut(0.5))(files)
    rewrite("T1ce", set_value(np.nan))(files)
    rewrite("seg", set_value(0.5))(files)
    _, findings = examine_subject(subject_of(files), SCHEME)
    assert {finding.file for finding in findings if finding.severity == "refused"} == set(files.values())


def test_a_scan_that_is_there_twice_is_found(tmp_path):
    for number in (1, 2, 3):
        image, _ = make_volumes(seed=number % 2)
        write_scan(tmp_path, f"BraTS2021_0000{number}", MODALITIES, image=image)
    subjects = find_subjects(tmp_path, MODALITIES, "brats2021").require()
    digests = {one.subject: image_digest(load_volumes(one, SCHEME)) for one in subjects}
    (finding,) = find_duplicates(digests, {one.subject: one.labels for one in subjects})
    assert finding.severity == "refused"
    assert {finding.file.parent.name[-1], finding.reason.split("/")[-2][-1]} == {"1", "3"}

"""Bad inputs of many kinds: each is refused in one sentence that names the file and a remedy, in bounded memory."""

import re
import tracemalloc
from dataclasses import replace
from pathlib import Path

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
from tests.support.bad_inputs import CASES
from tests.support.scans import make_volumes, write_scan
from tests.support.spoiling import content, cut, rewrite, set_value

MODALITIES = ["FLAIR", "T1ce"]
SCHEME = LabelScheme.named("brats2021")
MOST_MEMORY = 2**26  # bytes; the scans here take less than a hundredth


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

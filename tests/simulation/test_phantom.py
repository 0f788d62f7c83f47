"""The phantom looks as a radiologist expects a patient to look; it is the same every time, and no two are alike."""

import nibabel as nib
import numpy as np
import pytest
import torch

from mosaicmr.cohort.check import check_subject
from mosaicmr.seeds import torch_generator
from mosaicmr.simulation.anatomy import load_anatomy, random_deformation
from mosaicmr.simulation.phantom import LONGEST_BRAIN, SCHEME, simulate_patient, write_patient
from mosaicmr.simulation.tumour_growth import plan_tumour
from mosaicmr.sources.subjects import find_subjects, phantom_files, phantom_patients

VOXEL_SIZE, TUMOUR_GRID = 3.0, 4.0
NECROSIS, OEDEMA, ENHANCING = 1, 2, 3


@pytest.fixture(scope="module")
def anatomy():
    return load_anatomy()


@pytest.fixture(scope="module")
def patients(anatomy):
    """One patient of each kind of tumour."""
    names = {}
    for number in range(40):
        names.setdefault(plan(anatomy, f"patient{number}").kind, f"patient{number}")
    return {kind: simulate(anatomy, name) for kind, name in names.items()}


def plan(anatomy, name):
    """The tumour that the patient of this name gets."""
    generator = torch_generator(0, "phantom", name)
    return plan_tumour(anatomy, random_deformation(generator), generator)


def simulate(anatomy, name):
    return simulate_patient(anatomy, torch_generator(0, "phantom", name), VOXEL_SIZE, TUMOUR_GRID)


def healthy(patient):
    return (patient.labels == 0) & (patient.images["T1"] > 0)


def white_matter(patient):
    """The brightest healthy tissue on T1."""
    t1 = patient.images["T1"]
    return healthy(patient) & (t1 > np.quantile(t1[healthy(patient)], 0.6))


def median(patient, modality, label):
    return np.median(patient.images[modality][patient.labels == label])


def test_the_same_seed_gives_the_same_patient_and_another_seed_another(anatomy):
    first, again, other = (simulate(anatomy, name) for name in ("a", "a", "b"))
    np.testing.assert_array_equal(first.labels, again.labels)
    for modality, image in first.images.items():
        np.testing.assert_array_equal(image, again.images[modality])
    assert (first.labels != other.labels).any()
    assert (first.images["T1"] != other.images["T1"]).mean() > 0.1


def test_images_are_int16_and_zero_exactly_outside_the_brain(patients):
    for patient in patients.values():
        assert list(patient.images) == ["FLAIR", "T1", "T1ce", "T2"]
        brain = patient.images["FLAIR"] > 0
        for image in patient.images.values():
            assert image.dtype == np.int16
            np.testing.assert_array_equal(image > 0, brain)
        assert (patient.labels[~brain] == 0).all()
        assert 1.1e6 < brain.sum() * VOXEL_SIZE**3 < 2.2e6  # mm³
        rows = np.flatnonzero(brain.any(axis=(0, 2)))
        assert (rows[-1] - rows[0] + 1) * VOXEL_SIZE <= LONGEST_BRAIN + VOXEL_SIZE


def test_each_kind_of_tumour_has_its_classes(patients):
    present = {kind: set(np.unique(patient.labels)) - {0} for kind, patient in patients.items()}
    assert present["necrotic"] == {NECROSIS, OEDEMA, ENHANCING}
    assert present["solid"] == {OEDEMA, ENHANCING}
    assert present["non-enhancing"] == {NECROSIS, OEDEMA}
    for patient in patients.values():
        assert 5e3 < (patient.labels > 0).sum() * VOXEL_SIZE**3 < 2.5e5  # mm³


def test_enhancing_tumour_is_brighter_than_white_matter_only_after_contrast(patients):
    for kind in ("necrotic", "solid"):
        patient, white = patients[kind], white_matter(patients[kind])
        assert median(patient, "T1ce", ENHANCING) > 1.15 * np.median(patient.images["T1ce"][white])
        assert median(patient, "T1", ENHANCING) < np.median(patient.images["T1"][white])


def test_oedema_is_bright_on_flair_and_t2_and_darker_than_white_matter_on_t1(patients):
    for patient in patients.values():
        for modality in ("FLAIR", "T2"):
            assert median(patient, modality, OEDEMA) > 1.15 * np.median(patient.images[modality][healthy(patient)])
        assert median(patient, "T1", OEDEMA) < np.median(patient.images["T1"][white_matter(patient)])


def test_csf_is_bright_on_t2_and_dark_on_flair_and_t1(patients):
    for patient in patients.values():
        t2 = patient.images["T2"]
        csf = healthy(patient) & (t2 > np.quantile(t2[healthy(patient)], 0.98))
        for modality in ("FLAIR", "T1"):
            image = patient.images[modality]
            assert np.median(image[csf]) < 0.6 * np.median(image[healthy(patient)])


def test_necrosis_lies_inside_the_rim_and_the_rim_inside_the_oedema(patients):
    labels = patients["necrotic"].labels
    centre = np.argwhere(labels == NECROSIS).mean(axis=0)
    distances = [
        np.linalg.norm(np.argwhere(labels == value) - centre, axis=1).mean() for value in (NECROSIS, ENHANCING, OEDEMA)
    ]
    assert distances == sorted(distances)


def test_tumours_grow_in_tissue_and_not_in_the_ventricles(anatomy, patients):
    for patient in patients.values():
        t2 = patient.images["T2"].astype(float)
        liquid = np.quantile(t2[healthy(patient)], 0.99)
        assert (t2[patient.labels == OEDEMA] >= liquid).mean() < 0.1


def test_sides_lobes_sizes_and_kinds_vary_over_a_cohort(anatomy):
    plans = [plan(anatomy, patient) for patient in phantom_patients(12)]
    right, front, above = (torch.stack([tumour.seed for tumour in plans])).T
    assert 3 <= int((right > 0).sum()) <= 9
    assert right.abs().min() >= 14
    assert front.max() - front.min() > 50 and above.max() - above.min() > 25
    volumes = [tumour.volume for tumour in plans]
    assert max(volumes) > 4 * min(volumes)
    assert len({tumour.kind for tumour in plans}) >= 2


def test_files_pass_the_door_of_real_data_and_lie_as_brats_does(tmp_path, patients):
    patient = patients["necrotic"]
    write_patient(patient, phantom_files(tmp_path, "BraTS2021_P0001"))
    (subject,) = find_subjects(tmp_path, list(patient.images), "brats2021").require()
    row = check_subject(subject, SCHEME).row
    assert row["volume_enhancing_mm3"] == pytest.approx((patient.labels == ENHANCING).sum() * VOXEL_SIZE**3)
    image, labels = nib.load(subject.images["T1"]), nib.load(subject.labels)
    assert nib.aff2axcodes(image.affine) == ("L", "P", "S")
    assert image.get_data_dtype() == np.int16 and labels.get_data_dtype() == np.uint8
    assert set(np.unique(labels.dataobj)) == {0, 1, 2, 4}
    canonical = np.asanyarray(nib.as_closest_canonical(image).dataobj)
    np.testing.assert_array_equal(canonical, patient.images["T1"])
    assert image.header.get_zooms() == pytest.approx((VOXEL_SIZE,) * 3)


def test_writing_twice_gives_the_same_bytes(tmp_path, patients):
    for folder in ("a", "b"):
        write_patient(patients["solid"], phantom_files(tmp_path / folder, "BraTS2021_P0001"))
    first, second = (sorted((tmp_path / folder).rglob("*.nii.gz")) for folder in ("a", "b"))
    assert len(first) == 5
    assert all(one.read_bytes() == two.read_bytes() for one, two in zip(first, second, strict=True))

"""The brain is what differs from the background, whatever value that has."""

import nibabel as nib
import numpy as np
import pytest

from mosaicmr.cohort.extraction import extract_shard
from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.volumes import load_volumes
from mosaicmr.scans.brain import brain_mask, find_background, foreground, outermost, second_background
from mosaicmr.sources.subjects import find_subjects
from tests.cohort.test_extraction import SETTINGS
from tests.support.scans import write_nifti, write_scan

SCHEME = LabelScheme.named("brats2021")


def z_score(values: np.ndarray) -> np.ndarray:
    brain = values > 0
    result = np.zeros_like(values)
    result[brain] = (values[brain] - values[brain].mean()) / values[brain].std()
    return result


CHANGES = {
    "z-scored in the brain": z_score,
    "z-scored as a whole": lambda values: (values - values.mean()) / values.std(),
    "from -1 to 1": lambda values: 2 * values / values.max() - 1,
    "shifted": lambda values: values + 1024,
    "negative": lambda values: values - 3000,
    "scaled": lambda values: values * 0.001,
}


def scan(folder, change=lambda values: values):
    files = write_scan(folder, "BraTS2021_00001", ["FLAIR"])
    image = nib.load(files["FLAIR"]).get_fdata(dtype=np.float32)
    write_nifti(files["FLAIR"], change(image).astype(np.float32))
    return find_subjects(folder, ["FLAIR"], "brats2021").require()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_intensities_keeps_the_brain_and_the_slices(tmp_path, change):
    subjects = [scan(tmp_path / "a"), scan(tmp_path / "b", change)]
    first, second = (load_volumes(found[0], SCHEME) for found in subjects)
    np.testing.assert_array_equal(first.brain, second.brain)
    before, after = (extract_shard(found, SCHEME, ["FLAIR"], SETTINGS) for found in subjects)
    np.testing.assert_allclose(before.images.astype(float), after.images.astype(float), atol=2e-3)
    np.testing.assert_array_equal(before.labels, after.labels)
    np.testing.assert_array_equal(before.brain, after.brain)


def test_small_negative_values_belong_to_the_brain():
    image = np.zeros((16, 16, 16), np.float32)
    image[4:12, 4:12, 4:12] = 100
    image[4, 4:12, 4:12] = -0.01  # as interpolation leaves at an edge
    assert brain_mask(foreground(image[None], [find_background(image).value])).sum() == 8**3


def test_a_brain_that_the_border_cuts_off_leaves_a_plain_background():
    y, x = np.mgrid[-1:1:40j, -1:1:40j]
    disc = (x**2 + y**2 < 0.9)[..., None]
    image = np.where(disc, np.random.default_rng(0).uniform(50, 90, (40, 40, 3)), 0).astype(np.float32)
    background = find_background(image)
    assert background.plain and background.value == 0
    assert 0.2 < background.share < 0.6


def test_rounding_errors_of_a_background_are_background():
    image = np.full((16, 16, 16), -1, np.float32)
    image += np.random.default_rng(0).choice([0, 6e-8, -6e-8], image.shape).astype(np.float32)
    image[4:12, 4:12, 4:12] = 0.5
    background = find_background(image)
    assert background.plain
    assert brain_mask(foreground(image[None], [background.value])).sum() == 8**3


@pytest.mark.parametrize("spread", [1, 2, 8])
def test_noise_is_no_plain_background(spread):
    noise = np.random.default_rng(0).poisson(spread, (24, 24, 24)).astype(np.float32)
    assert not find_background(noise).plain


def test_a_second_background_is_found_and_a_flat_image_is_not_taken_for_it():
    image, brain = np.full((20, 20, 20), -0.5, np.float32), np.zeros((20, 20, 20), bool)
    brain[2:18, 2:18, 2:18] = True
    image[5:15, 5:15, 5:15] = np.random.default_rng(0).uniform(0, 1, (10, 10, 10))
    assert second_background(image, brain, outermost(brain)) == -0.5
    assert second_background(np.full_like(image, 3), brain, outermost(brain)) is None

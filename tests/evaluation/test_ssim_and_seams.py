"""SSIM and the seam index on slices whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.slice_set import SliceHeader, SliceSet
from mosaicmr.evaluation.seams import border_steps, seam_index, step_ratio
from mosaicmr.evaluation.ssim import pair_patients, real_ssim, slice_ssim, source_ssim

HEADER = SliceHeader(("T1", "T2"), 1.0, LabelScheme.named("brats2021").classes)


@pytest.fixture
def slices():
    """Four slices of two smooth modalities in a square brain, and a map of four square domains."""
    generator = np.random.default_rng(0)
    brain = np.zeros((32, 32), np.uint8)
    brain[4:28, 4:28] = 1
    texture = gaussian_filter(generator.normal(size=(4, 2, 32, 32)), (0, 0, 1.5, 1.5))
    images = (np.clip(0.5 + texture, 0.05, 1) * brain).astype(np.float16)
    domains = np.zeros((32, 32), np.uint8)
    domains[4:16, 4:16], domains[4:16, 16:28], domains[16:28, 4:16], domains[16:28, 16:28] = 1, 2, 3, 4
    return images, np.repeat(brain[None], 4, 0), np.repeat(domains[None], 4, 0)


def test_ssim_of_a_slice_with_itself_is_one(slices):
    images, brain, _ = slices
    assert slice_ssim(images[0], images[0], brain[0]) == pytest.approx((1.0, 1.0))


def test_background_raises_the_whole_slice_value_only(slices):
    images, brain, _ = slices
    inside, whole = slice_ssim(images[0], images[1], brain[0])
    assert inside < whole < 1
    assert np.isnan(slice_ssim(images[0], images[1], np.zeros((32, 32)))[0])


def test_synthetic_slices_are_compared_with_their_own_source(slices):
    images, brain, _ = slices
    table = pd.DataFrame({"slice": list("abcd"), "patient": list("ppqq"), "split": "synthetic", "height": 0.5})
    pairs = source_ssim([SliceSet(HEADER, table, {"images": images, "brain": brain, "source": images[[0, 1, 3, 2]]})])
    assert list(pairs["patient"]) == list("ppqq")
    assert pairs["ssim_brain"][:2].tolist() == pytest.approx([1, 1])
    assert pairs["ssim_brain"][2:].max() < 0.9


def test_real_pairs_are_of_different_patients_at_the_nearest_height(slices):
    table = pd.DataFrame({"patient": list("aabb"), "height": [0.1, 0.9, 0.2, 0.8]})
    assert pair_patients(table, seed=1).tolist() == [2, 3, 0, 1]
    images, brain, _ = slices
    known = table.assign(slice=list("wxyz"), split="train")
    batch = SliceSet(HEADER, known, {"images": images, "brain": brain})
    pairs = real_ssim(known, [batch.keep(np.arange(2)), batch.keep(np.arange(2, 4))], limit=10, seed=1)
    expected = [slice_ssim(images[i], images[j], brain[0])[0] for i, j in ((0, 2), (1, 3), (2, 0), (3, 1))]
    assert pairs["ssim_brain"].tolist() == pytest.approx(expected)
    assert real_ssim(known[:2], [], limit=10, seed=1).empty


def test_the_seam_index_is_one_on_real_slices_and_higher_on_a_hard_paste(slices):
    images, _, domains = slices
    real = border_steps(images, domains)
    assert seam_index(real, real) == pytest.approx(1.0)
    pasted = images.astype(np.float32) + 0.2 * (domains == 2)[:, None]
    assert seam_index(border_steps(pasted, domains), real) > 1.5
    blurred = images.astype(np.float32).copy()
    blurred[..., 14:18] = blurred[..., 14:18].mean(-1, keepdims=True)
    blurred[..., 14:18, :] = blurred[..., 14:18, :].mean(-2, keepdims=True)
    assert seam_index(border_steps(blurred, domains), real) < 0.8


def test_border_steps_of_a_ramp_are_those_beside_the_border():
    ramp = np.tile(np.arange(1, 13) / 20, (1, 1, 12, 1))
    domains = np.ones((1, 12, 12), np.uint8)
    domains[..., 6:] = 2
    across, borders, beside, pairs = border_steps(ramp, domains)[0]
    assert (borders, pairs) == (12, 24)
    assert across / borders == pytest.approx(0.05)
    assert beside / pairs == pytest.approx(0.05)
    assert step_ratio(border_steps(ramp, domains)) == pytest.approx(1.0)


def test_the_outline_of_the_brain_is_no_seam():
    domains = np.zeros((1, 12, 12), np.uint8)
    domains[:, 3:9, 3:9] = 1
    assert border_steps(domains[:, None].astype(float), domains)[0].tolist() == [0, 0, 0, 0]
    assert np.isnan(step_ratio(border_steps(domains[:, None].astype(float), domains)))

"""The merge: a partition of unity on the brain, soft between domains, sharp at the brain's outline."""

import numpy as np
import pytest

from mosaicmr.synthesis.merge import feathered_weights, merge_renderings

IDS = range(1, 6)


def random_domains(seed=0, size=40):
    """Stripes and blobs of domains 1, 2, 3 and 5 (4 is absent) in a round brain."""
    generator = np.random.default_rng(seed)
    row, column = np.mgrid[:size, :size] - (size - 1) / 2
    sites = generator.uniform(-size / 2, size / 2, (12, 2))
    nearest = np.argmin((row[..., None] - sites[:, 0]) ** 2 + (column[..., None] - sites[:, 1]) ** 2, axis=-1)
    domains = np.array([1, 2, 3, 5])[nearest % 4]
    return np.where(np.hypot(row, column) < size * 0.45, domains, 0).astype(np.uint8)


def halves(size=32):
    """Domain 1 in the left half of the image and domain 2 in the right, inside a margin of background."""
    domains = np.zeros((size, size), np.uint8)
    domains[4:-4, 4 : size // 2] = 1
    domains[4:-4, size // 2 : -4] = 2
    return domains


@pytest.mark.parametrize("feather", [0, 1, 3, 100])
def test_weights_are_a_partition_of_unity_on_the_brain_and_nothing_outside(feather):
    domains = random_domains()
    weights = feathered_weights(domains, IDS, feather, pixel_size=1.5)
    assert weights.min() >= 0
    assert np.allclose(weights.sum(0)[domains > 0], 1, atol=1e-6)
    assert not weights[:, domains == 0].any()
    assert not weights[3].any(), "an absent domain has no weight"


def test_each_pixel_is_mostly_of_its_own_domain_where_two_meet():
    domains = halves()
    weights = feathered_weights(domains, IDS, 12, pixel_size=1)
    assert (weights[0][domains == 1] > 0.5).all()
    assert (weights[1][domains == 2] > 0.5).all()


def test_without_feather_borders_are_hard():
    domains = random_domains()
    weights = feathered_weights(domains, IDS, 0, pixel_size=1.5)
    assert np.array_equal(weights, np.stack([domains == index for index in IDS]).astype(np.float32))


def test_a_feather_is_monotone_centred_on_the_border_and_as_wide_as_asked():
    weights = feathered_weights(halves(), IDS, feather=6, pixel_size=1)[0]
    profile = weights[16, 4:-4]
    assert (np.diff(profile) <= 0).all()
    assert np.allclose(profile, 1 - profile[::-1], atol=1e-6)
    # The border runs between two pixels, so a ramp of 6 mm covers three pixels of 1 mm on each side.
    assert ((profile > 0) & (profile < 1)).sum() == 6


def test_width_is_in_millimetres():
    coarse = feathered_weights(halves(), IDS, feather=6, pixel_size=3)[0]
    assert ((coarse[16] > 0) & (coarse[16] < 1)).sum() == 2


def test_the_outline_of_the_brain_does_not_disturb_the_feather():
    weights = feathered_weights(halves(), IDS, feather=8, pixel_size=1)[0]
    assert np.allclose(weights[4, 4:-4], weights[16, 4:-4], atol=1e-6), "top row of the brain as in its middle"


def test_a_slice_of_one_domain_keeps_it_whole():
    domains = np.where(halves() > 0, 2, 0).astype(np.uint8)
    merged = merge_renderings(constant_renderings(domains[None], [0.1, 0.8]), domains[None], 5, 1)
    assert np.allclose(merged[0, 0][domains > 0], 0.8, atol=1e-3)


def constant_renderings(domains, greys, modalities=2):
    renderings = np.zeros((len(domains), len(greys), modalities, *domains.shape[1:]), np.float16)
    renderings += np.asarray(greys, np.float16)[None, :, None, None, None]
    return renderings


def test_constant_renderings_merge_into_a_monotone_ramp_on_a_black_background():
    domains = halves()[None]
    merged = merge_renderings(constant_renderings(domains, [0.25, 0.75]), domains, feather=6, pixel_size=1)

    assert merged.dtype == np.float16
    assert merged.shape == (1, 2, 32, 32)
    assert (np.diff(merged[0, 0, 16, 4:-4].astype(float)) >= 0).all()
    assert merged[0, 0, 16, 4] == np.float16(0.25)
    assert merged[0, 0, 16, -5] == np.float16(0.75)
    assert not merged[:, :, domains[0] == 0].any()
    assert np.array_equal(merged[:, 0], merged[:, 1])


def test_equal_renderings_merge_into_themselves():
    domains = random_domains()[None]
    picture = np.random.default_rng(1).random((1, 1, 3, 40, 40)).astype(np.float16)
    merged = merge_renderings(np.repeat(picture, 5, axis=1), domains, feather=4, pixel_size=1)
    inside = np.broadcast_to(domains[:, None] > 0, merged.shape)
    assert np.allclose(merged[inside], picture[:, 0][inside], atol=1e-3)

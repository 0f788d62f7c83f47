"""Classical augmentation keeps pairs together and the background empty."""

import torch

from mosaicmr.segmentation.augmentation import classical_augmentation


def a_batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Eight heads, grey 0.3, each with a bright tumour of class 3 to one side."""
    images, labels = torch.zeros(8, 2, 32, 32), torch.zeros(8, 32, 32, dtype=torch.int64)
    images[:, :, 6:26, 6:26] = 0.3
    images[:, :, 10:18, 8:14] = 0.9
    labels[:, 10:18, 8:14] = 3
    return images, labels


def test_shapes_types_and_values_stay_those_of_slices():
    images, labels = classical_augmentation(1.5, 1, "test")(*a_batch())
    assert images.shape == (8, 2, 32, 32)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert set(labels.unique().tolist()) == {0, 3}
    assert 0 <= images.min() <= images.max() <= 1


def test_the_labels_move_with_the_image():
    images, labels = classical_augmentation(1.5, 1, "test")(*a_batch())
    tumour, tissue = images[:, 0][labels == 3], images[:, 0][(labels == 0) & (images[:, 0] > 0)]
    assert tumour.median() > tissue.median() + 0.2


def test_air_around_the_head_stays_exactly_zero():
    images, _ = classical_augmentation(1.5, 1, "test")(*a_batch())
    assert (images[:, 0] == 0).float().mean() > 0.3


def test_both_sides_occur():
    augment = classical_augmentation(1.5, 1, "test")
    labels = torch.cat([augment(*a_batch())[1] for _ in range(3)])
    left = (labels[:, :, :16] == 3).sum((1, 2)) > (labels[:, :, 16:] == 3).sum((1, 2))
    assert 0 < left.sum() < len(left)


def test_the_seed_and_purpose_decide_and_every_batch_differs():
    first, again = classical_augmentation(1.5, 1, "a"), classical_augmentation(1.5, 1, "a")
    other = classical_augmentation(1.5, 1, "b")
    one = first(*a_batch())[0]
    assert torch.equal(one, again(*a_batch())[0])
    assert not torch.equal(one, other(*a_batch())[0])
    assert not torch.equal(one, first(*a_batch())[0])

"""Fractions of tissue: what a voxel holds, and the signal and the class that follow."""

import torch

from mosaicmr.simulation.tissue import HEALTHY, TISSUES, combine, mix, tumour_labels

NECROSIS, OEDEMA, ENHANCING = 1, 2, 3


def test_a_tumour_takes_the_place_of_healthy_tissue_and_air_stays_air():
    healthy = torch.tensor([[0.0, 1.0, 0.5], [0.4, 0.0, 0.5], [0.6, 0.0, 0.0]])
    tumour = torch.tensor([[0.0, 0.5, 1.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.0]])
    fractions = combine(healthy, tumour, torch.tensor([True, True, False]))
    expected = torch.tensor([[0, 0.2, 0.3, 0, 0.5, 0], [0.5, 0, 0, 0.5, 0, 0], [0, 0, 0, 0, 0, 0]])
    torch.testing.assert_close(fractions.T, expected)
    assert TISSUES[:HEALTHY] == ("csf", "grey", "white")


def test_a_voxel_gives_the_signals_of_its_tissues_by_their_shares():
    fractions = torch.zeros(6, 2, 2)
    fractions[0, 0], fractions[2, 0], fractions[5, 1] = 0.25, 0.75, 0.5
    signals = torch.tensor([1.0, 9.0, 3.0, 9.0, 9.0, 4.0])
    torch.testing.assert_close(mix(fractions, signals), torch.tensor([[2.5, 2.5], [2.0, 2.0]]))


def test_a_voxel_has_the_class_of_its_largest_share_where_most_of_it_is_tumour():
    tumour = torch.tensor([[0.6, 0.2, 0.1, 0.2], [0.1, 0.3, 0.2, 0.2], [0.1, 0.2, 0.7, 0.1]])
    labels = tumour_labels(tumour)
    assert labels.dtype == torch.uint8
    assert labels.tolist() == [NECROSIS, OEDEMA, ENHANCING, 0]

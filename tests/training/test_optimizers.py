"""The optimizers: which weights Muon takes, and how it moves them."""

import torch

from mosaicmr.training.optimizers import MuonWithAdamW


def test_muon_makes_updates_with_nearly_equal_singular_values() -> None:
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Conv2d(4, 8, 3), torch.nn.Flatten(), torch.nn.Linear(8, 3))
    before = layers[0].weight.detach().clone()
    optimizer = MuonWithAdamW(layers, ("2",), 0.1, weight_decay=0.0)
    layers(torch.randn(5, 4, 3, 3)).square().mean().backward()
    optimizer.step()
    values = torch.linalg.svdvals((layers[0].weight.detach() - before).flatten(1))
    # The gradient of five examples has rank three at most, from three outputs.
    assert values[2] > 0.4 * values[0]

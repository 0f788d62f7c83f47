"""The moving average of a network's weights."""

import pytest
import torch

from mosaicmr.training.averaging import update_average


def test_the_average_forgets_its_start_and_then_moves_by_its_decay():
    slow, fast = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    for parameter in (*slow.parameters(), *fast.parameters()):
        torch.nn.init.constant_(parameter, float(parameter is fast.weight))
    update_average(slow, fast, decay=0.99, done=1)
    assert slow.weight.item() == pytest.approx(0.9)
    torch.nn.init.zeros_(slow.weight)
    update_average(slow, fast, decay=0.99, done=100_000)
    assert slow.weight.item() == pytest.approx(0.01)

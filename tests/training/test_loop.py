"""The loop of every training: its history, its checkpoints, its resumption and its end."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mosaicmr.errors import InputError
from mosaicmr.training.checkpoint import Checkpoint
from mosaicmr.training.loop import Plan, Trainee, cosine_rate, final_loss, train
from mosaicmr.training.optimizers import OneOptimizer
from tests.support.interruption import Killed

PLAN = Plan(steps=7, learning_rate=0.1, warmup=2, rate_key="toy.learning_rate", checkpoint_every=3)


@dataclasses.dataclass
class Toy:
    """A layer that learns to give zero for each step's own example, and notes the steps that it was asked for."""

    dies_after: int | None = None
    spoilt_gradient: bool = False
    asked: list[int] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(3, 1)

    @property
    def trainee(self) -> Trainee:
        weights = dict(self.layer.named_parameters())
        optimizer = OneOptimizer(torch.optim.AdamW(weights.values(), PLAN.learning_rate))
        return Trainee("the toy", list(weights.values()), optimizer, weights, self.loss)

    def loss(self, done: int) -> tuple[torch.Tensor, dict[str, float]]:
        if done == self.dies_after:
            raise Killed
        self.asked.append(done)
        error = self.layer(torch.randn(3, generator=torch.Generator().manual_seed(done))).square().sum()
        if self.spoilt_gradient:
            # The root of zero is zero, and its slope is not finite.
            error = error + (self.layer.weight * 0).sum().sqrt()
        return error, {"zeta": 10.0 + done, "alpha": 20.0 + done}


def run(toy: Toy, path: Path | None = None, plan: Plan = PLAN, fingerprint: str = "same") -> pd.DataFrame:
    return train(toy.trainee, plan, Checkpoint(path, fingerprint) if path else None)


def test_every_step_has_a_row_with_the_numbers_of_the_trainee():
    history = run(Toy())
    assert list(history.columns) == ["step", "loss", "learning_rate", "seconds", "zeta", "alpha"]
    assert history["step"].tolist() == [1, 2, 3, 4, 5, 6, 7] and history["step"].dtype == np.int64
    assert history["learning_rate"].tolist() == [PLAN.rate(done) for done in range(7)]
    assert history["zeta"].tolist() == [10.0 + done for done in range(7)]
    assert final_loss(history) == history["loss"].iloc[-1]


def test_a_killed_training_repeats_no_step_before_its_checkpoint_and_ends_the_same(tmp_path: Path):
    whole, path = Toy(), tmp_path / "checkpoint.safetensors"
    expected = run(whole)
    with pytest.raises(Killed):
        run(Toy(dies_after=5), path)
    resumed = Toy()
    history = run(resumed, path)
    assert resumed.asked == [3, 4, 5, 6]
    pd.testing.assert_frame_equal(history.drop(columns="seconds"), expected.drop(columns="seconds"), check_exact=True)
    assert history["seconds"].is_monotonic_increasing
    assert torch.equal(resumed.layer.weight, whole.layer.weight) and torch.equal(resumed.layer.bias, whole.layer.bias)


def test_a_checkpoint_with_another_fingerprint_is_not_resumed(tmp_path: Path):
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        run(Toy(dies_after=5), path)
    anew = Toy()
    run(anew, path, fingerprint="other")
    assert anew.asked == list(range(7))


@pytest.mark.parametrize(("keep_last", "left"), [(True, []), (False, [3, 4, 5])])
def test_only_a_training_among_others_keeps_its_last_state(tmp_path: Path, keep_last: bool, left: list[int]):
    plan = dataclasses.replace(PLAN, steps=6, keep_last=keep_last)
    run(Toy(), tmp_path / "checkpoint.safetensors", plan)
    again = Toy()
    run(again, tmp_path / "checkpoint.safetensors", plan)
    assert again.asked == left


def test_a_gradient_that_is_not_finite_stops_before_it_reaches_the_weights():
    toy = Toy(spoilt_gradient=True)
    before = toy.layer.weight.detach().clone()
    words = "^Training of the toy gave a loss or gradient of nan in step 1 with toy.learning_rate 0.1: .*to 0.01[.]$"
    with pytest.raises(InputError, match=words):
        run(toy)
    assert torch.equal(toy.layer.weight, before)


def test_the_learning_rate_rises_then_falls() -> None:
    rates = [cosine_rate(step, 100, 1.0, warmup=10) for step in range(100)]
    assert rates[0] < rates[9] == max(rates)
    assert rates[-1] < 0.05

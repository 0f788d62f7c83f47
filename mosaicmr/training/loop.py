"""The loop of every training of a network: steps, learning rate, checkpoints, and a history with a row for every step.

A killed training goes on from its last checkpoint, and ends with the same weights, bit for bit, as without the kill.
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import Tensor, nn

from mosaicmr.errors import InputError
from mosaicmr.monitoring.journal import Journal
from mosaicmr.training.checkpoint import Checkpoint
from mosaicmr.training.optimizers import MuonWithAdamW, OneOptimizer

logger = logging.getLogger(__name__)

GRADIENT_NORM = 1.0  # longer gradients are clipped to this length
LOWEST_RATE = 0.02  # of the peak, at the last step
HISTORY = ("loss", "learning_rate", "seconds")


@dataclass(frozen=True)
class Trainee:
    """A network in training.

    title: the network in words, e.g. "the expert 'oedema'". weights: all parameters in training. tensors: kept in
    a checkpoint beside the optimizer's state, by name. loss: called with the number of steps that are done, returns the
    loss of the next step, a float tensor [], and further numbers for the history by name. after_step: called after
    each step with the number of steps that are done.
    """

    title: str
    weights: Sequence[nn.Parameter]
    optimizer: OneOptimizer | MuonWithAdamW
    tensors: Mapping[str, Tensor]
    loss: Callable[[int], tuple[Tensor, dict[str, float]]]
    after_step: Callable[[int], None] = lambda done: None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Length and learning rate of a training.

    learning_rate: its peak. warmup: steps over which it rises. rate_key: its config key, e.g.
    'experts.learning_rate'. checkpoint_every: steps. keep_last: whether a checkpoint that is due after the last step is
    written, so that a job of several trainings need not repeat this training.
    """

    steps: int
    learning_rate: float
    warmup: int
    rate_key: str
    checkpoint_every: int
    keep_last: bool = False

    def rate(self, done: int, spent: float = 0.0) -> float:
        """The learning rate of the step after `done` steps.

        spent: share of the time that is up, where time is limited. After the warm-up the rate falls with the steps or
        with the time, whichever is further on.
        """
        at = done if done < self.warmup else max(done, round(spent * self.steps))
        return cosine_rate(at, self.steps, self.learning_rate, self.warmup)

    def wants_checkpoint(self, done: int) -> bool:
        """Whether a checkpoint is due after `done` steps."""
        return done % self.checkpoint_every == 0 and (self.keep_last or done < self.steps)


def train(
    trainee: Trainee,
    plan: Plan,
    checkpoint: Checkpoint | None = None,
    journal: Journal | None = None,
    limit: float | None = None,
) -> pd.DataFrame:
    """Train in place, resuming from the checkpoint if it is this training's.

    journal: follows the training and changes nothing. limit: seconds after which no further step begins, over all
    resumptions; the learning rate then falls with time, so that weights depend on the machine's speed.
    Returns the history: int64 step, from 1, and float64 loss, learning_rate, seconds (since the start, over all
    resumptions) and the trainee's own numbers. Raises InputError if loss or gradient are no longer finite.
    """
    history = checkpoint.load(trainee.tensors, trainee.optimizer.parts) if checkpoint else []
    journal = journal or Journal(trainee.title)
    logger.info("%s: steps %d to %d", journal.name, len(history) + 1, plan.steps)
    before = history[-1]["seconds"] if history else 0.0
    journal.begin(plan.steps, len(history))
    while len(history) < plan.steps and (limit is None or before + journal.seconds < limit):
        done = len(history)
        rate = plan.rate(done, (before + journal.seconds) / limit if limit else 0.0)
        loss, norm, numbers = _step(trainee, done, rate)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise InputError(_divergence(trainee, plan, done, norm if math.isfinite(loss) else loss))
        history.append({"loss": loss, "learning_rate": rate, "seconds": before + journal.seconds, **numbers})
        done += 1
        trainee.after_step(done)
        journal.report(done, loss, {"loss": loss, "learning_rate": rate, "gradient_norm": norm, **numbers})
        if checkpoint and plan.wants_checkpoint(done):
            journal.flush()
            checkpoint.save(trainee.tensors, trainee.optimizer.parts, history)
    return _table(history)


def no_history() -> pd.DataFrame:
    """The history of a training that took no step."""
    return _table([])


def final_loss(history: pd.DataFrame) -> float:
    """The mean loss over the last tenth of the steps; the loss of a single step says little."""
    return float(history["loss"].tail(max(1, len(history) // 10)).mean())


def cosine_rate(step: int, steps: int, peak: float, warmup: int) -> float:
    """Learning rate at `step` of `steps`: linear warm-up, then half a cosine down to a fiftieth of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (LOWEST_RATE + (1 - LOWEST_RATE) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def _step(trainee: Trainee, done: int, rate: float) -> tuple[float, float, dict[str, float]]:
    """Take one step: loss, the gradient's norm before clipping, the trainee's numbers.

    Nothing changes unless loss and norm are finite.
    """
    loss, numbers = trainee.loss(done)
    trainee.optimizer.zero_grad()
    loss.backward()
    norm = float(nn.utils.clip_grad_norm_(trainee.weights, GRADIENT_NORM))
    if math.isfinite(loss.item()) and math.isfinite(norm):
        trainee.optimizer.set_rate(rate)
        trainee.optimizer.step()
    return loss.item(), norm, numbers


def _table(history: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    columns = list(history[0]) if history else list(HISTORY)
    table = pd.DataFrame(history, columns=columns, dtype=np.float64)
    table.insert(0, "step", np.arange(1, len(table) + 1))
    return table


def _divergence(trainee: Trainee, plan: Plan, done: int, value: float) -> str:
    return (
        f"Training of {trainee.title} gave a loss or gradient of {value} in step {done + 1} with {plan.rate_key} "
        f"{plan.learning_rate:g}: expected finite numbers; lower it, for example to {plan.learning_rate / 10:g}."
    )

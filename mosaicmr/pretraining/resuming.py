"""The shared part of pretraining's trainings: their plan, and checkpoints that let a killed run go on."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from mosaicmr.io import digest_of
from mosaicmr.monitoring.journal import Journal
from mosaicmr.training.checkpoint import Checkpoint
from mosaicmr.training.loop import Plan, Trainee, train


class StepSettings(Protocol):
    """Settings of a training, a dataclass with at least these fields."""

    __dataclass_fields__: dict[str, Any]

    @property
    def steps(self) -> int: ...

    @property
    def learning_rate(self) -> float: ...

    @property
    def checkpoint_every(self) -> int: ...


def train_resumably(
    name: str, trainee: Trainee, settings: StepSettings, warmup: int, seed: int, path: Path | None, journal: Journal
) -> pd.DataFrame:
    """Train in place, resuming from the checkpoint at `path` if it is of the same settings and seed.

    name: of the training, as in the config's `pretrain`. warmup: steps over which the learning rate rises. Without a
    path there is no checkpoint. Returns the history of `loop.train`; raises InputError as it does.
    """
    plan = Plan(
        steps=settings.steps,
        learning_rate=settings.learning_rate,
        warmup=warmup,
        rate_key=f"pretrain.{name}.learning_rate",
        checkpoint_every=settings.checkpoint_every,
        keep_last=True,
    )
    decisive = {key: value for key, value in asdict(settings).items() if key != "checkpoint_every"}
    checkpoint = Checkpoint(path, digest_of([name, decisive, seed])) if path else None
    return train(trainee, plan, checkpoint, journal)

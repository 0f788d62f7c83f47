"""Messages of a training while it runs: lines in its log, a record for `make progress`, TensorBoard events.

None of it is an output of a rule, and nothing reads it back into a training: weights are the same with and without it.
"""

import collections
import contextlib
import json
import logging
import os
import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from torch.utils.tensorboard import SummaryWriter  # needs the package tensorboard

from mosaicmr.io import save_json

logger = logging.getLogger(__name__)

INTERVAL = 10.0  # seconds between two lines of the log and two writings of the record
EVENTS = "events.out.tfevents"
FIRST_ATTEMPT = "1000000000"  # greater is a time in seconds, smaller the number of an attempt
SMOOTHED = 50  # steps whose mean loss is shown: that of a single batch says little


class Journal:
    """The journal of one training, as a context: leaving it marks the record done, or failed if an exception passes.

    name: for the log, e.g. 'expert oedema'. record: the JSON file of the progress record; see `begin` for its keys.
    events: the folder of TensorBoard's event files. Without these two there is only the log.
    """

    def __init__(self, name: str, record: str | Path | None = None, events: str | Path | None = None):
        self.name = name
        self.path = Path(record) if record else None
        self.events = Path(events) if events else None
        self.writer: SummaryWriter | None = None
        self.record: dict[str, Any] = {"name": name, "step": 0, "steps": 0}

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.writer:
            self.writer.close()
        failure = {"message": f"{kind.__name__}: {error}"} if kind else {}
        self._write(state="failed" if kind else "done", **failure)

    def begin(self, steps: int, first: int = 0) -> None:
        """Start, or go on with, a training of `steps` steps; `first` of them were done before.

        The record has name, state (running, done or failed), step, steps, loss (mean over the last 50 steps),
        seconds_per_step (of this attempt), started and updated (UTC), attempt, resumed_from (a step), host, pid,
        slurm_job and, after a failure, message. A resumed training keeps `started` and counts its attempts.
        """
        self.first, self.steps = first, steps
        self.start = self.last = time.monotonic()
        self.losses: collections.deque[float] = collections.deque(maxlen=SMOOTHED)
        earlier = self._earlier() if first else {}
        self.record = {
            "name": self.name,
            "state": "running",
            "step": first,
            "steps": steps,
            "loss": earlier.get("loss"),
            "seconds_per_step": None,
            "started": earlier.get("started") or _now(),
            "attempt": earlier.get("attempt", 0) + 1,
            "resumed_from": first,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "slurm_job": os.environ.get("SLURM_JOB_ID"),
        }
        self._write()
        if self.events:
            self._open_events()

    @property
    def seconds(self) -> float:
        """Since `begin`."""
        return time.monotonic() - self.start

    def report(self, done: int, loss: float, scalars: Mapping[str, float], step: int | None = None) -> None:
        """Note that `done` steps are done; `scalars` go to TensorBoard at `step` (`done` by default)."""
        self.losses.append(loss)
        if self.writer:
            for tag, value in scalars.items():
                self.writer.add_scalar(tag, value, done if step is None else step)
        now = time.monotonic()
        if now - self.last < INTERVAL and done < self.steps:
            return
        self.last = now
        pace = (now - self.start) / (done - self.first)
        mean = sum(self.losses) / len(self.losses)
        left = pace * (self.steps - done)
        logger.info("%s: step %d of %d, loss %.4f, about %.0f s left", self.name, done, self.steps, mean, left)
        self._write(step=done, loss=mean, seconds_per_step=pace)

    def flush(self) -> None:
        """Put all events on disk, because steps before a checkpoint are not logged again after a kill."""
        if self.writer:
            self.writer.flush()

    def _open_events(self) -> None:
        for path in self.events.glob(f"{EVENTS}.*"):
            if not self.first:
                path.unlink()  # of another training: its curve would be drawn into this curve
            elif path.name.split(".")[3] > FIRST_ATTEMPT:
                # TensorBoard reads in the order of names, which begin with the time on the node that wrote them; that
                # of this node may be behind, or the same second.
                attempt = f"{self.record['attempt'] - 1:010d}"
                path.rename(path.with_name(path.name.replace(EVENTS, f"{EVENTS}.{attempt}", 1)))
        # Steps after the checkpoint are done again; TensorBoard then forgets those of the killed job.
        self.writer = SummaryWriter(str(self.events), purge_step=self.first + 1 if self.first else None)

    def _earlier(self) -> dict[str, Any]:
        """The record that a killed attempt left; nothing where no record can be read."""
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(self.path.read_text(encoding="utf-8")) if self.path else {}
            return found if isinstance(found, dict) else {}
        return {}

    def _write(self, **changes: Any) -> None:
        self.record |= {**changes, "updated": _now()}
        if not self.path:
            return
        try:
            save_json(self.path, self.record)
        except OSError as error:
            # A training of hours must not end because a record of it cannot be written.
            logger.warning("%s cannot be written (%s): `make progress` shows an old state", self.path, error)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

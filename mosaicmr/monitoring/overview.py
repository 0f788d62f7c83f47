"""Progress of each training of a run: `python -m mosaicmr.monitoring.overview results/demo` (`make progress`).

Reads small JSON files on the file system that the jobs share, so it works on a login node. Imports the standard library
only, so it answers at once and with any Python from 3.11 on.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

EXPECTED = "expected.json"
SILENCE = 300.0  # seconds without news after which a training counts as stalled, or
SILENT_STEPS = 10  # so many times its step, if that is longer
COLUMNS = ("training", "state", "step", "loss", "steps/s", "left", "host", "")


@dataclass(frozen=True)
class Training:
    """Known facts about a training of a run.

    state: waiting, running, stalled, done, failed or unreadable. pace: steps a second of the present attempt. left:
    seconds. note: any other remark.
    """

    name: str
    state: str
    step: int = 0
    steps: int = 0
    loss: float | None = None
    pace: float | None = None
    left: float | None = None
    host: str = ""
    note: str = ""


def survey(run: str | Path, now: datetime | None = None) -> list[Training]:
    """The trainings of the run in folder `run`: those that the workflow expects, then any other with a record.

    A file that is missing, half-written or of another form is named in its row, and never ends the survey.
    """
    run, now = Path(run), now or datetime.now(UTC)
    folder = run / "progress"
    expected = _read(folder / EXPECTED)
    if not isinstance(expected, dict):
        expected = {}
    records = {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.glob("*/*.json")}
    names = [*expected, *sorted(set(records) - set(expected))]
    return [_training(name, records.get(name), expected.get(name), run, now) for name in names]


def _training(name: str, path: Path | None, facts: Any, run: Path, now: datetime) -> Training:
    facts = facts if isinstance(facts, dict) else {}
    steps = _number(facts.get("steps"))
    finished = (run / facts["output"]).exists() if isinstance(facts.get("output"), str) else None
    if path is None:
        return Training(name, "done" if finished else "waiting", steps if finished else 0, steps)
    record = _read(path)
    if not isinstance(record, dict):
        return Training(name, "done" if finished else "unreadable", 0, steps, note=f"{path} is no record")
    if record.get("state") == "done" and finished is False:
        return Training(name, "waiting", 0, steps, note="its output was deleted or is to be made again")
    return _from_record(name, record, now)


def _from_record(name: str, record: Mapping[str, Any], now: datetime) -> Training:
    step, steps = _number(record.get("step")), _number(record.get("steps"))
    seconds = _number(record.get("seconds_per_step"), float)
    state, notes = str(record.get("state", "unreadable")), []
    silent = _seconds_since(record.get("updated"), now)
    if state == "running" and (silent is None or silent > max(SILENCE, SILENT_STEPS * seconds)):
        state = "stalled"
        notes.append("no news " + ("at all" if silent is None else f"for {duration(silent)}"))
    if _number(record.get("resumed_from")):
        notes.append(f"attempt {_number(record.get('attempt'))}, from step {_number(record.get('resumed_from'))}")
    if record.get("slurm_job"):
        notes.append(f"SLURM job {record['slurm_job']}")
    if state == "failed" and record.get("message"):
        notes.insert(0, str(record["message"]).splitlines()[0])
    running = state == "running" and seconds > 0
    return Training(
        name,
        state,
        step,
        steps,
        loss=_number(record.get("loss"), float) if record.get("loss") is not None else None,
        pace=1 / seconds if seconds > 0 else None,
        left=max(0.0, (steps - step) * seconds - (silent or 0.0)) if running else None,
        host=str(record.get("host") or ""),
        note=", ".join(notes),
    )


def table(trainings: Sequence[Training]) -> str:
    """The trainings as aligned text with a header, and a last line that counts the states."""
    rows = [COLUMNS, *map(_cells, trainings)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    right = {2, 3, 4, 5}
    lines = [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    states = [training.state for training in trainings]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    return "\n".join([*lines, counts])


def _cells(training: Training) -> tuple[str, ...]:
    return (
        training.name,
        training.state,
        f"{training.step}/{training.steps}" if training.steps else "",
        "" if training.loss is None else f"{training.loss:.4f}",
        "" if training.pace is None else f"{training.pace:.3g}",
        "" if training.left is None else duration(training.left),
        training.host,
        training.note,
    )


def duration(seconds: float) -> str:
    """A duration in its two largest units, e.g. '2 h 05 min'."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24:02d} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _read(path: Path) -> Any:
    """The content of a JSON file; None where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _number(value: Any, kind: type = int):
    return kind(value) if isinstance(value, int | float) and not isinstance(value, bool) else kind(0)


def _seconds_since(moment: Any, now: datetime) -> float | None:
    """Seconds from an ISO time to now, 0 where the other machine's clock is ahead; None if it is no time."""
    try:
        return max(0.0, (now - datetime.fromisoformat(moment)).total_seconds())
    except (TypeError, ValueError):
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table once, or with --watch again and again until it is interrupted."""
    parser = argparse.ArgumentParser(description="How far each training of a run is.")
    parser.add_argument("run", type=Path, help="the folder of the run, e.g. results/demo")
    parser.add_argument("--watch", type=float, metavar="SECONDS", help="print again every so many seconds")
    options = parser.parse_args(arguments)
    while True:
        trainings = survey(options.run)
        if not trainings:
            print(f"{options.run} has no training yet: the run has not been started, or goes by another name.")
            return 1
        clear = "\033[2J\033[H" if options.watch and sys.stdout.isatty() else ""
        print(f"{clear}{options.run}, {datetime.now():%H:%M:%S}\n{table(trainings)}", flush=True)
        if not options.watch:
            return 0
        time.sleep(options.watch)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(0)

"""The journal of a training: its record and its TensorBoard events, through a kill and a resumption."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mosaicmr.monitoring import journal as module
from mosaicmr.monitoring.journal import Journal

# Trains as an expert does: every step is reported, every fifth is a checkpoint, and the process dies in step 13.
KILLED = """
import os, signal, sys
from mosaicmr.monitoring import journal
journal.INTERVAL = 0.0
with journal.Journal("expert oedema", sys.argv[1], sys.argv[2]) as kept:
    kept.begin(20)
    for done in range(1, 21):
        if done == 13:
            kept.flush()  # so that TensorBoard has seen steps 11 and 12, which will be done again
            os.kill(os.getpid(), signal.SIGKILL)
        kept.report(done, 1 / done, {"loss": 1 / done})
        if done % 5 == 0:
            kept.flush()
"""


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "progress" / "oedema.json"


@pytest.fixture
def events(tmp_path: Path) -> Path:
    return tmp_path / "tensorboard" / "oedema"


@pytest.fixture(autouse=True)
def no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the record in every step."""
    monkeypatch.setattr(module, "INTERVAL", 0.0)


def read(record: Path) -> dict:
    return json.loads(record.read_text())


def curve(events: Path, tag: str) -> list[tuple[int, float]]:
    """The curve of a tag, as TensorBoard shows it."""
    loaded = EventAccumulator(str(events))
    loaded.Reload()
    return [(event.step, event.value) for event in loaded.Scalars(tag)]


def train(journal: Journal, steps: int, first: int = 0, loss: float = 2.0) -> None:
    journal.begin(steps, first)
    for done in range(first + 1, steps + 1):
        journal.report(done, loss, {"loss": loss})


def test_a_finished_training_leaves_its_record_and_its_curve(record: Path, events: Path):
    with Journal("expert oedema", record, events) as journal:
        train(journal, 3)
    found = read(record)
    assert (found["state"], found["step"], found["steps"], found["loss"]) == ("done", 3, 3, 2.0)
    assert found["seconds_per_step"] > 0
    assert found["started"] <= found["updated"]
    assert (found["attempt"], found["resumed_from"], found["pid"]) == (1, 0, os.getpid())
    assert curve(events, "loss") == [(1, 2.0), (2, 2.0), (3, 2.0)]


def test_the_loss_of_the_record_is_a_mean_over_recent_steps(record: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SMOOTHED", 2)
    with Journal("expert", record) as journal:
        journal.begin(3)
        for done, loss in enumerate((9.0, 1.0, 2.0), start=1):
            journal.report(done, loss, {})
    assert read(record)["loss"] == pytest.approx(1.5)


def test_a_killed_training_is_continued_in_the_same_record_and_curve(
    record: Path, events: Path, monkeypatch: pytest.MonkeyPatch
):
    command = [sys.executable, "-c", KILLED, str(record), str(events)]
    assert subprocess.run(command, check=False, timeout=120).returncode == -signal.SIGKILL
    killed = read(record)
    assert (killed["state"], killed["step"]) == ("running", 12)

    monkeypatch.setenv("SLURM_JOB_ID", "77")
    with Journal("expert oedema", record, events) as journal:
        train(journal, 20, first=10)  # its last checkpoint
    resumed = read(record)
    assert (resumed["state"], resumed["step"], resumed["attempt"], resumed["resumed_from"]) == ("done", 20, 2, 10)
    assert resumed["started"] == killed["started"]
    assert resumed["slurm_job"] == "77"
    assert resumed["pid"] != killed["pid"]
    shown = curve(events, "loss")
    assert [step for step, _ in shown] == list(range(1, 21))
    assert dict(shown)[10] == pytest.approx(0.1)  # of the killed attempt
    assert dict(shown)[11] == 2.0  # done again


def test_a_training_that_starts_anew_replaces_record_and_curve(record: Path, events: Path):
    with Journal("expert", record, events) as journal:
        train(journal, 5, loss=7.0)
    with Journal("expert", record, events) as journal:
        train(journal, 2)
    assert read(record)["attempt"] == 1
    assert curve(events, "loss") == [(1, 2.0), (2, 2.0)]


def test_an_exception_is_written_down_and_goes_on(record: Path):
    def diverge() -> None:
        with Journal("expert", record) as journal:
            journal.begin(5)
            raise ArithmeticError("loss of nan")

    with pytest.raises(ArithmeticError):
        diverge()
    found = read(record)
    assert (found["state"], found["message"]) == ("failed", "ArithmeticError: loss of nan")


def test_a_damaged_record_does_not_hinder_a_resumption(record: Path):
    record.parent.mkdir()
    record.write_text('{"attempt": 1, "sta')
    with Journal("expert", record) as journal:
        train(journal, 4, first=2)
    assert read(record)["resumed_from"] == 2


def test_a_record_that_cannot_be_written_ends_no_training(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "file").touch()
    with Journal("expert", tmp_path / "file" / "record.json") as journal:
        train(journal, 2)
    assert "cannot be written" in caplog.text


def test_a_tag_may_have_steps_of_its_own(events: Path):
    with Journal("segmenter", events=events) as journal:
        journal.begin(4)
        journal.report(3, 1.0, {"loss/seed2": 1.0}, step=1)
    assert curve(events, "loss/seed2") == [(1, 1.0)]


def test_the_record_is_never_half_written(record: Path):
    with Journal("expert", record) as journal:
        journal.begin(200)
        for done in range(1, 201):
            journal.report(done, 1.0, {})
            assert math.isclose(read(record)["loss"], 1.0)
    assert [path.name for path in record.parent.iterdir()] == [record.name]

"""The table of `make progress`: the state of every training, from records in any condition."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mosaicmr.monitoring.overview import Training, duration, main, survey, table

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
RECORD = {
    "name": "expert oedema",
    "state": "running",
    "step": 250,
    "steps": 1000,
    "loss": 0.1234,
    "seconds_per_step": 0.5,
    "updated": (NOW - timedelta(seconds=5)).isoformat(),
    "started": (NOW - timedelta(hours=1)).isoformat(),
    "attempt": 1,
    "resumed_from": 0,
    "host": "node7",
    "slurm_job": None,
}
NAME = "finetune_expert/oedema"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    expected = {name: {"steps": 1000, "output": f"{name}.out"} for name in (NAME, "finetune_expert/whole")}
    write(tmp_path / "progress" / "expected.json", expected)
    return tmp_path


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def oedema(run: Path, record: object = None, **changes: object) -> Training:
    """The line on an expert whose record is RECORD with changes."""
    write(run / "progress" / f"{NAME}.json", RECORD | changes if record is None else record)
    return {training.name: training for training in survey(run, NOW)}[NAME]


def test_a_running_expert_has_its_pace_and_the_time_that_is_left(run: Path):
    training = oedema(run)
    assert (training.state, training.step, training.steps, training.loss) == ("running", 250, 1000, 0.1234)
    assert training.pace == 2
    assert training.left == 750 * 0.5 - 5
    assert training.host == "node7"


def test_trainings_are_listed_as_expected_and_wait_until_they_begin(run: Path):
    write(run / "progress" / "train_segmenter" / "real.json", RECORD)
    oedema(run)
    assert [(training.name, training.state) for training in survey(run, NOW)] == [
        (NAME, "running"),
        ("finetune_expert/whole", "waiting"),
        ("train_segmenter/real", "running"),
    ]


@pytest.mark.parametrize(
    ("seconds_per_step", "silent", "state"),
    [(0.5, 299, "running"), (0.5, 301, "stalled"), (60, 301, "running"), (60, 601, "stalled"), (None, 301, "stalled")],
)
def test_an_expert_without_news_for_long_is_stalled(run: Path, seconds_per_step: float | None, silent: int, state: str):
    updated = (NOW - timedelta(seconds=silent)).isoformat()
    training = oedema(run, seconds_per_step=seconds_per_step, updated=updated)
    assert training.state == state
    if state == "stalled":
        assert training.left is None
        assert "no news for" in training.note


def test_a_clock_that_is_ahead_is_no_stall(run: Path):
    training = oedema(run, updated=(NOW + timedelta(hours=2)).isoformat())
    assert training.state == "running"
    assert training.left == 375


def test_done_failed_and_resumed_are_told(run: Path):
    (run / "finetune_expert").mkdir()
    (run / f"{NAME}.out").touch()
    assert oedema(run, state="done").state == "done"
    failed = oedema(
        run, state="failed", message="OSError: the disk\nis full", resumed_from=200, attempt=3, slurm_job="9"
    )
    assert failed.state == "failed"
    assert failed.note == "OSError: the disk, attempt 3, from step 200, SLURM job 9"


def test_a_finished_expert_whose_weights_were_deleted_waits(run: Path):
    assert oedema(run, state="done").state == "waiting"


def test_an_expert_with_weights_but_no_record_is_done(run: Path):
    (run / "finetune_expert").mkdir()
    (run / "finetune_expert" / "whole.out").touch()
    assert [training.state for training in survey(run, NOW)] == ["waiting", "done"]


@pytest.mark.parametrize("content", ["", '{"state": "runn', "[1, 2]", "null", "\x00\xff", '"done"'])
def test_a_damaged_record_is_shown_as_unreadable(run: Path, content: str):
    assert oedema(run, content).state == "unreadable"
    assert "unreadable" in table(survey(run, NOW))


@pytest.mark.parametrize("key", sorted(RECORD))
@pytest.mark.parametrize("value", [None, "text", -1, [], {}])
def test_a_record_of_another_form_never_ends_the_survey(run: Path, key: str, value: object):
    oedema(run, **{key: value})
    assert table(survey(run, NOW)).count("\n") == 3


@pytest.mark.parametrize("content", ["", "[]", '{"finetune_expert/oedema": 3}'])
def test_a_damaged_list_of_expected_trainings_leaves_the_records(run: Path, content: str):
    write(run / "progress" / "expected.json", content)
    assert oedema(run).state == "running"


def test_the_table_is_aligned_and_counts_the_states(run: Path):
    oedema(run)
    header, first, second, counts = table(survey(run, NOW)).splitlines()
    assert header.index("state") == first.index("running") == second.index("waiting")
    assert "250/1000  0.1234        2  6 min 10 s  node7" in first
    assert counts == "1 running, 1 waiting"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.6, "1 min 00 s"), (754, "12 min 34 s"), (7500, "2 h 05 min"), (190_000, "2 d 04 h")],
)
def test_durations_have_two_units(seconds: float, text: str):
    assert duration(seconds) == text


def test_a_run_that_does_not_exist_is_named(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main([str(tmp_path / "none")]) == 1
    assert "has no training yet" in capsys.readouterr().out


def test_the_command_answers_within_two_seconds_without_the_libraries_of_the_stages(run: Path, checkout: Path):
    for number in range(100):
        write(run / "progress" / "finetune_expert" / f"e{number}.json", RECORD)
    command = [sys.executable, "-X", "importtime", "-m", "mosaicmr.monitoring.overview", str(run)]
    start = time.monotonic()
    answer = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60, check=True)
    assert time.monotonic() - start < 2
    assert "finetune_expert/e99" in answer.stdout
    loaded = {line.rpartition("|")[2].strip() for line in answer.stderr.splitlines()}
    assert "json" in loaded
    assert not loaded & {"torch", "numpy", "pandas", "snakemake"}

"""Messages of a run of the real workflow, while it lasts and when a job of it fails."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mosaicmr.io import load_arrays, load_json, load_metadata, load_table, save_arrays
from mosaicmr.monitoring.overview import survey
from tests.workflow.conftest import TinyRun

pytestmark = pytest.mark.workflow

STEPS = 4


def test_every_training_of_a_finished_run_is_done(tiny_run: TinyRun):
    trainings = survey(tiny_run.results)
    assert len(trainings) == 1 + 6 + 4  # the base, experts, arms
    assert {(training.state, training.step, training.steps) for training in trainings} == {("done", STEPS, STEPS)}


def test_tensorboard_shows_the_curve_of_an_expert(tiny_run: TinyRun):
    events = EventAccumulator(str(tiny_run.results / "tensorboard" / "whole"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"loss", "learning_rate", "gradient_norm"}
    shown = [(event.step, event.value) for event in events.Scalars("loss")]
    curve = load_table(tiny_run.results / "experts" / "whole" / "training.parquet")
    assert shown == [(step, pytest.approx(loss)) for step, loss in zip(curve["step"], curve["loss"], strict=True)]


def test_without_records_and_events_nothing_is_made_anew(tiny_run: TinyRun, tmp_path: Path):
    copy = copied(tiny_run, tmp_path)
    for name in ("progress", "tensorboard"):
        shutil.rmtree(copy.results / name)
    assert "Nothing to be done" in copy.again("--dry-run").stdout


def test_a_diverging_expert_ends_the_run_with_its_log_and_the_cause(tiny_run: TinyRun, tmp_path: Path):
    copy = copied(tiny_run, tmp_path)
    for latents in (copy.results / "latents").glob("*.safetensors"):
        spoil(latents)
    # Without the base's own adaptation, which would diverge before it.
    run = copy.again("--retries", "1", "results/tiny/experts/whole/expert.json", config=("adaptation={steps: 0}",))
    assert run.returncode != 0
    end = run.stdout[run.stdout.index("1 failed job:") :]
    log = "results/tiny/logs/finetune_expert/whole.log"
    assert f"finetune_expert, domain=whole (2 attempts)\n  {log} ends with:\n    | " in end
    assert f"  See also {log}.attempt1\n" in end
    assert "  Likely cause: Training of the expert 'whole' gave a loss or gradient of " in end
    record = load_json(copy.results / "progress" / "finetune_expert" / "whole.json")
    assert record["state"] == "failed"
    assert "experts.learning_rate" in record["message"]


def spoil(file: Path) -> None:
    """Make every real number of a file NaN, so that training on it diverges in its first step."""
    arrays = load_arrays(file)
    for array in arrays.values():
        if np.issubdtype(array.dtype, np.floating):
            array[:] = np.nan
    save_arrays(file, arrays, load_metadata(file))


def copied(run: TinyRun, folder: Path) -> TinyRun:
    """A copy of the run to break, so that other tests find the original."""
    shutil.copytree(run.directory, folder / "run", copy_function=shutil.copy2, dirs_exist_ok=True)
    return TinyRun(folder / "run", run.output)

"""`make status` on a finished tiny run, whole and edited."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.edits import edited, without
from tests.workflow.conftest import TinyRun
from tests.workflow.data_flow import RULES

pytestmark = pytest.mark.workflow


def status(checkout: Path, *config: str) -> str:
    """The lines that `make status` prints of a run."""
    command = [sys.executable, "tools/status.py", "--cores", "2", "--configfile", "config/tiny.yaml"]
    command += ["--config", "base={model: base}", *config]
    run = subprocess.run(command, cwd=checkout, text=True, capture_output=True, timeout=300)
    assert run.returncode == 0, run.stderr[-4000:]
    return run.stdout


def test_status_says_that_all_is_fresh(tiny_run: TinyRun):
    assert "Everything is fresh." in status(tiny_run.directory)


def test_status_names_the_value_the_code_and_the_file_behind_a_stale_stage(tiny_run: TinyRun):
    checkout = tiny_run.directory
    with (
        without(tiny_run.results / "figures" / "training.png"),
        edited(checkout / "mosaicmr" / "synthesis" / "merge.py", '"""', 'EDITED = True\n"""'),
        edited(checkout / "envs" / "imaging.yaml", "numpy==", "numpy==9"),
    ):
        lines = status(checkout, "evaluation={segmenter: {steps: 5}}").splitlines()
    rows = {line.split()[0]: line for line in lines if line.startswith("  ") and line.split()[0] in RULES}
    assert set(rows) == RULES
    assert "settings.steps 4 -> 5" in rows["train_segmenter"]
    assert "mosaicmr/synthesis/merge.py" in rows["merge_renderings"]
    assert "its output is gone: results/tiny/figures/training.png" in rows["figure_training"]
    assert "envs/imaging.yaml" in rows["check_subjects"]
    assert rows["figure_segmentation"].endswith("follows score_segmenter")

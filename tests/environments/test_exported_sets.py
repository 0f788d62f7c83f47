"""The exported sets in the programs that they are for: nnU-Net v2 plans and trains, and the BIDS validator agrees."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.slice_set import SliceHeader, SliceSet
from mosaicmr.synthesis.export import export_dataset
from mosaicmr.synthesis.export_bids import export_bids
from mosaicmr.synthesis.export_cases import cases_of, group_cases
from mosaicmr.synthesis.export_format import ExportFormat

pytestmark = pytest.mark.envs

HERE = Path(__file__).parent
PIXEL = 1.5  # mm
HEADER = SliceHeader(("FLAIR", "T2"), PIXEL, LabelScheme.named("brats2021").classes)
# Three iterations on fold 0, then the cases of every fold as the trainer reads them.
TRAIN = """
import json, sys
import torch
from nnunetv2.run.run_training import get_trainer_from_args

trainer = get_trainer_from_args("123", "2d", 0, device=torch.device("cpu"))
trainer.num_iterations_per_epoch, trainer.num_val_iterations_per_epoch, trainer.num_epochs = 3, 1, 1
trainer.run_training()
folds = []
for trainer.fold in range(int(sys.argv[1])):
    train, val = trainer.do_split()
    folds.append({"train": sorted(train), "val": sorted(val)})
losses = trainer.logger.get_value("train_losses", step=None)
json.dump({"folds": folds, "losses": [float(loss) for loss in losses]}, open(sys.argv[2], "w"))
"""


def drawn_slices(count: int) -> SliceSet:
    """Slices 64 x 64 with nested classes, three of each patient."""
    generator = np.random.default_rng(0)
    images, labels = np.zeros((count, 2, 64, 64), np.float16), np.zeros((count, 64, 64), np.uint8)
    images[:, :, 10:54, 12:52] = 0.3 + 0.1 * generator.random((count, 2, 44, 40))
    for label, (row, column) in zip(labels, generator.integers(16, 36, (count, 2)), strict=True):
        for value, inset in ((2, 0), (1, 3), (3, 5)):
            label[row + inset : row + 12 - inset, column + inset : column + 12 - inset] = value
    images += 0.15 * (labels > 0)[:, None]
    table = pd.DataFrame({"slice": [f"s{number:05d}" for number in range(count)], "prompt_whole": "Whole slice"})
    table = table.assign(patient=[f"P{number // 3}" for number in range(count)], donor_patient=None)
    return SliceSet(HEADER, table, {"images": images, "labels": labels})


def make_environment(folder: Path, pins: str) -> Path:
    """Make an environment of these pins, without what they require, beside the packages of this one; its programs."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    own = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    # torch comes from here: the index would bring gigabytes for GPUs.
    (Path(own) / "here.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [folder / "bin" / "pip", "install", "--quiet", "--no-deps", "--requirement", HERE / pins]
    subprocess.run(install, check=True, timeout=900)
    return folder / "bin"


@pytest.fixture(scope="module")
def nnunet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of nnU-Net's programs."""
    return make_environment(tmp_path_factory.mktemp("nnunet") / "venv", "nnunet.txt")


@pytest.mark.parametrize("slice_spacing", [6.0, 1.0])
def test_nnunet_verifies_plans_and_trains_as_the_readme_says(slice_spacing: float, nnunet: Path, tmp_path: Path):
    batches = [drawn_slices(12)]
    groups, parted = group_cases(batches, [])
    form = ExportFormat.plain(HEADER, HEADER.classes)
    export_dataset(tmp_path / "dataset", cases_of(batches, [], groups), HEADER, form, {}, slice_spacing, parted)
    variables = os.environ | {"nnUNet_n_proc_DA": "1", "OMP_NUM_THREADS": "1"}
    variables["PATH"] = f"{nnunet}{os.pathsep}{variables['PATH']}"
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        (tmp_path / name).mkdir()
        variables[name] = str(tmp_path / name)

    commands = re.findall(r"^    (.+)$", (tmp_path / "dataset" / "README.md").read_text(), re.MULTILINE)
    assert commands.pop() == "nnUNetv2_train 123 2d 0"
    for command in commands:
        few = " -np 1 -npfp 1" if "plan_and_preprocess" in command else ""
        subprocess.run(f"set -eu; {command}{few}", shell=True, env=variables, cwd=tmp_path, check=True, timeout=900)
    plans = json.loads((tmp_path / "nnUNet_preprocessed" / "Dataset123_MosaicMR" / "nnUNetPlans.json").read_text())
    assert plans["configurations"]["2d"]["spacing"] == [PIXEL, PIXEL]

    folds = json.loads((tmp_path / "dataset" / "splits_final.json").read_text())
    found = tmp_path / "found.json"
    train = [nnunet / "python", "-c", TRAIN, str(len(folds)), found]
    subprocess.run(train, env=variables | {"nnUNet_n_proc_DA": "0"}, cwd=tmp_path, check=True, timeout=900)
    trained = json.loads(found.read_text())
    assert trained["folds"] == folds and len(folds) == 4
    assert np.isfinite(trained["losses"]).all() and len(trained["losses"]) == 1


def test_the_bids_validator_finds_no_error(tmp_path: Path):
    programs = make_environment(tmp_path / "venv", "bids_validator.txt")
    # Each modality has a name of its own in BIDS.
    header = replace(HEADER, modalities=("FLAIR", "T1", "T1ce", "T2"))
    drawn = drawn_slices(3)
    drawn = SliceSet(header, drawn.table, {"images": np.repeat(drawn.images, 2, axis=1), "labels": drawn.labels})
    cases = cases_of([drawn], [], ["group_001"] * 3)
    facts = {"variant": "single", "seed": 1, "experts": {"whole": "00ff"}}
    export_bids(tmp_path / "bids", cases, header, header.classes, facts, 6.0)
    assert errors(programs, tmp_path / "bids") == []
    # The validator did look: it misses what is taken away.
    (tmp_path / "bids" / "dataset_description.json").unlink()
    assert "MISSING_DATASET_DESCRIPTION" in errors(programs, tmp_path / "bids")


def errors(programs: Path, folder: Path) -> list[str]:
    """The codes of the errors that the BIDS validator finds in a data set."""
    command = [programs / "bids-validator-deno", "--json", folder]
    told = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False).stdout
    return sorted(issue["code"] for issue in json.loads(told)["issues"]["issues"] if issue["severity"] == "error")

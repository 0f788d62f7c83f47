"""`snakemake pretrain_base` as a rule: it goes on after a kill, and what it writes is a base that loads."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mosaicmr.diffusion.base import Base
from mosaicmr.io import load_json
from tests.support.workflow import CHECKOUT, arguments_for, snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

SHIPPED = yaml.safe_load((CHECKOUT / "config" / "config.yaml").read_text())["pretrain"]["banks"]
BANK = {"shards": 1, "slices": 6, "size": 32, "pixel_size": 6.0, "free_contrast": 0.3}
FINE = {"size": 48, "pixel_size": 4.0}
SMALL = {
    "contrasts": BANK,
    "slices": BANK,
    "slices_1mm": BANK | FINE,
    "volumes": BANK | {"slices": 3},
    "volumes_1mm": BANK | FINE | {"slices": 3},
}
SETTINGS = {
    # All of config.yaml's banks, made of as much, for the same trainings.
    "banks": {name: bank | SMALL[name] for name, bank in SHIPPED.items()},
    "autoencoder": {"widths": [16, 16], "latent_channels": 2, "steps": 4, "checkpoint_every": 2},
    "decoder": {"steps": 4, "checkpoint_every": 2},
    "reader": {"prompts": 40, "steps": 10},
    "unet": {"widths": [16, 32], "steps": 600, "batch_size": 2, "checkpoint_every": 25},
    "refinement": {"steps": 5},
}
PATIENCE = 300  # seconds


def test_a_killed_pretraining_goes_on_and_writes_a_base_that_loads(tmp_path: Path):
    config = tmp_path / "small.yaml"
    config.write_text(yaml.safe_dump({"pretrain": SETTINGS}))
    target = ("pretrain_base", "--configfile", str(config))
    job = subprocess.Popen(
        [sys.executable, "-m", "snakemake", *arguments_for(CHECKOUT, tmp_path, *target)],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    folder = tmp_path / "results" / "pretraining"
    try:
        checkpoint = wait_for_checkpoint(folder, job)
    finally:
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
        job.wait()
    assert not (folder / "base" / "mosaicmr.json").exists()
    assert checkpoint.exists()
    assert snakemake(tmp_path, *target, "--unlock").returncode == 0
    run = snakemake(tmp_path, *target, timeout=PATIENCE)
    assert run.returncode == 0, run.stdout[-6000:]
    record = load_json(folder / "progress" / "pretrain_base" / "unet.json")
    assert record["state"] == "done" and record["resumed_from"] >= 25
    curve = pd.read_parquet(folder / "base" / "training" / "unet.parquet")
    assert list(curve["step"]) == list(range(1, 601)), "the curve is whole, across the kill"
    base = Base.open(folder / "base", ["T1ce"])
    assert base.codec.channels == 2
    assert base.unet.config.out_channels == 2
    assert "Nothing to be done" in snakemake(tmp_path, *target, "--dry-run").stdout


def wait_for_checkpoint(folder: Path, job: subprocess.Popen) -> Path:
    """The U-Net's checkpoint, once it is there."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for checkpoint in folder.glob("*/unet.safetensors"):
            return checkpoint
        assert job.poll() is None, "pretraining ended before it could be killed"
        time.sleep(0.2)
    raise AssertionError(f"no checkpoint of the U-Net within {PATIENCE} s")

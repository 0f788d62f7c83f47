"""The base that ships: whole, small, in 16-bit, with its curves, and the base of the published figures."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from mosaicmr.diffusion.base import Base
from mosaicmr.pretraining.unet_sets import MODALITIES
from tests.support.workflow import CHECKOUT

BASE = CHECKOUT / "models" / "base"
MOST_BYTES = 40_000_000


def test_it_loads_with_its_checksums_and_is_small() -> None:
    base = Base.open(BASE, MODALITIES)
    assert base.codec.downsampling == 4
    assert base.schedule.config.rescale_betas_zero_snr
    assert base.unet.config.modalities == len(MODALITIES)
    assert sum(path.stat().st_size for path in BASE.rglob("*") if path.is_file()) <= MOST_BYTES


@pytest.mark.parametrize("part", ["vae", "unet"])
def test_all_its_weights_are_in_16_bit(part: str) -> None:
    weights = load_file(BASE / part / "diffusion_pytorch_model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float16}


@pytest.mark.parametrize("name", ["autoencoder", "decoder", "unet", "refinement"])
def test_it_has_the_curve_of_each_training(name: str) -> None:
    curve = pd.read_parquet(BASE / "training" / f"{name}.parquet")
    assert curve["step"].is_monotonic_increasing and len(curve) > 10
    settings = yaml.safe_load((CHECKOUT / "config" / "config.yaml").read_text())["pretrain"][name]
    assert curve["step"].iloc[0] >= 1 and curve["step"].iloc[-1] == settings["steps"]


def test_the_published_figures_are_of_this_base() -> None:
    record = json.loads(Path(CHECKOUT / "benchmarks" / "base_model.json").read_text())
    assert not record["quick"]
    assert record["sha256"] == hashlib.sha256((BASE / "mosaicmr.json").read_bytes()).hexdigest()
    assert len(record["figures"]) == 7

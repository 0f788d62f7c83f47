"""The base that ships: whole, small, in 16-bit, with its curves, and the base of the published figures."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from mosaicmr.cohort.labels import OEDEMA, LabelScheme
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.look_reader import SIZES
from mosaicmr.diffusion.text import embed_prompts
from mosaicmr.pretraining.unet_sets import MODALITIES
from mosaicmr.prompts.looks import Look
from mosaicmr.prompts.templates import SliceFacts, write_prompt
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


@pytest.mark.parametrize("words", ["lesion", "white matter lesion"])
def test_its_reader_finds_the_looks_of_a_class_that_it_never_saw_by_the_class_that_it_is_like(words: str) -> None:
    base = Base.open(BASE, MODALITIES)
    record = {"name": "lesion", "values": [1], "words": words, "like": "oedema"}
    classes = LabelScheme.from_records([record]).classes
    asked = [(2, 0), (0, 1), (1, 0), (2, 1)]
    looks = tuple(Look(1, modality, *look) for modality, look in zip(MODALITIES, asked, strict=True))
    facts = SliceFacts(0.5, 1.5, 900.0, "left", "anterior", (1,), looks)
    prompts = [write_prompt(domain, facts, MODALITIES, classes) for domain in ("whole", "lesion")]
    states, mask = embed_prompts(base.text_encoder, prompts)
    brightness, texture = base.unet.reader(states[1:].float(), mask[1:])[:, OEDEMA.value - 1].split(SIZES, -1)
    said = torch.tensor([[1 + look.brightness, 1 + look.texture] for look in looks])
    for found in torch.stack([brightness.argmax(-1), texture.argmax(-1)], -1):
        assert found.tolist() == said.tolist()

"""A base model with an expert merged in."""

import dataclasses
import json

import pytest
import torch

from mosaicmr.diffusion.adapters import CONFIG, add_adapter, merge_adapter, save_adapter, trainable_parameters
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.conditioning import LAYOUT_CHANNELS
from mosaicmr.diffusion.denoiser import Denoiser
from mosaicmr.diffusion.unet import predict
from mosaicmr.errors import InputError
from tests.support.tiny_models import LATENT_CHANNELS

MODALITIES = ["T1", "T2"]
CHANNELS = len(MODALITIES) * LATENT_CHANNELS


@pytest.fixture
def inputs():
    return (
        torch.randn(3, CHANNELS, 8, 8),
        torch.tensor([1, 400, 999]),
        torch.randn(3, 6, 384).half(),
        torch.ones(3, 6, dtype=torch.uint8),
        torch.rand(3, LAYOUT_CHANNELS, 8, 8),
    )


@pytest.fixture
def base(base):
    """The tiny base, opened."""
    return Base.open(base, MODALITIES, precision="fp32")


def trained_expert(base, method="lora"):
    """An expert as training might leave it: every trainable weight moved."""
    expert = add_adapter(base.load_unet(), method, rank=2, seed=1, domain="oedema")
    with torch.no_grad():
        for parameter in trainable_parameters(expert).values():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return expert.eval()


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_saved_and_merged_expert_computes_what_the_trained_one_did(base, tmp_path, inputs, method):
    expert = trained_expert(base, method)
    save_adapter(expert, tmp_path, "base")
    with torch.no_grad():
        expected = predict(expert, *inputs)
    denoiser = Denoiser.load(base, tmp_path)
    tolerance = 1e-4 if method == "lora" else 2e-2  # a full expert is stored in half precision
    torch.testing.assert_close(denoiser(*inputs), expected, atol=tolerance, rtol=tolerance)
    plain = Denoiser.load(base)(*inputs)
    assert (plain - expected).abs().mean() > 0.01
    assert not any(parameter.requires_grad for parameter in denoiser.unet.parameters())


@pytest.mark.parametrize("method", ["lora", "full"])
def test_experts_are_merged_into_copies_and_leave_the_base_as_it_was(base, tmp_path, method):
    save_adapter(trained_expert(base, method), tmp_path, "base")
    before = {name: value.clone() for name, value in base.unet.state_dict().items()}
    first, second = (Denoiser.load(base, tmp_path).unet.state_dict() for _ in range(2))
    assert all(torch.equal(value, before[name]) for name, value in base.unet.state_dict().items())
    fresh = merge_adapter(base.load_unet(), tmp_path, "base").state_dict()
    assert not all(torch.equal(value, before[name]) for name, value in fresh.items())
    for merged in (first, second):
        assert merged.keys() == fresh.keys()
        assert all(torch.equal(value, fresh[name]) for name, value in merged.items())


def test_an_untrained_expert_is_the_base_model(base, tmp_path, inputs):
    save_adapter(add_adapter(base.load_unet(), "lora", 2, 1, "cavity"), tmp_path, "base")
    merged = Denoiser.load(base, tmp_path)(*inputs)
    torch.testing.assert_close(merged, Denoiser.load(base)(*inputs))


def test_bfloat16_is_close_to_float32_and_returns_float32(base, inputs):
    exact = Denoiser.load(base)(*inputs)
    rounded = Denoiser.load(dataclasses.replace(base, precision="bf16"))(*inputs)
    assert rounded.dtype == torch.float32 and not torch.equal(rounded, exact)
    assert (rounded - exact).abs().mean() < 0.05 * exact.abs().mean()


def test_an_expert_is_saved_as_the_same_bytes_without_any_path(base, tmp_path):
    for name in ("one", "two"):
        save_adapter(add_adapter(base.load_unet(), "lora", 2, 1, "oedema"), tmp_path / name, "base")
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    config = json.loads((tmp_path / "one" / CONFIG).read_text())
    assert config["base_model_name_or_path"] == "base" and config["peft_type"] == "LORA"
    assert str(base.model) not in (tmp_path / "one" / CONFIG).read_text()
    assert config["target_modules"] == sorted(config["target_modules"])


def test_an_expert_of_other_modalities_or_without_weights_is_refused(base, tmp_path):
    save_adapter(trained_expert(base), tmp_path, "base")
    with pytest.raises(InputError, match="does not fit the base model and modalities"):
        Denoiser.load(Base.open(base.model, ["T1"]), tmp_path)
    with pytest.raises(InputError, match="lacks adapter_model.safetensors"):
        merge_adapter(base.load_unet(), tmp_path / "nowhere", "base")

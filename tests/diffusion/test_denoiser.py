"""A base model with an expert merged in."""

import json

import pytest
import torch

from mosaicmr.diffusion.adapters import CONFIG, add_adapter, merge_adapter, save_adapter, trainable_parameters
from mosaicmr.diffusion.base import load_unet
from mosaicmr.diffusion.conditioning import LAYOUT_CHANNELS
from mosaicmr.diffusion.denoiser import load_denoiser
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


def trained_expert(base, method="lora"):
    """An expert as training might leave it: every trainable weight moved."""
    expert = add_adapter(load_unet(base, MODALITIES), method, rank=2, seed=1, domain="oedema")
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
    denoiser = load_denoiser(base, MODALITIES, tmp_path, precision="fp32")
    tolerance = 1e-4 if method == "lora" else 2e-2  # a full expert is stored in half precision
    torch.testing.assert_close(denoiser(*inputs), expected, atol=tolerance, rtol=tolerance)
    plain = load_denoiser(base, MODALITIES, None, precision="fp32")(*inputs)
    assert (plain - expected).abs().mean() > 0.01
    assert not any(parameter.requires_grad for parameter in denoiser.unet.parameters())


def test_an_untrained_expert_is_the_base_model(base, tmp_path, inputs):
    save_adapter(add_adapter(load_unet(base, MODALITIES), "lora", 2, 1, "cavity"), tmp_path, "base")
    merged = load_denoiser(base, MODALITIES, tmp_path, precision="fp32")(*inputs)
    torch.testing.assert_close(merged, load_denoiser(base, MODALITIES, None, precision="fp32")(*inputs))


def test_bfloat16_is_close_to_float32_and_returns_float32(base, inputs):
    exact = load_denoiser(base, MODALITIES, None, precision="fp32")(*inputs)
    rounded = load_denoiser(base, MODALITIES, None, precision="bf16")(*inputs)
    assert rounded.dtype == torch.float32 and not torch.equal(rounded, exact)
    assert (rounded - exact).abs().mean() < 0.05 * exact.abs().mean()


def test_an_expert_is_saved_as_the_same_bytes_without_any_path(base, tmp_path):
    for name in ("one", "two"):
        save_adapter(add_adapter(load_unet(base, MODALITIES), "lora", 2, 1, "oedema"), tmp_path / name, "base")
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    config = json.loads((tmp_path / "one" / CONFIG).read_text())
    assert config["base_model_name_or_path"] == "base" and config["peft_type"] == "LORA"
    assert str(base) not in (tmp_path / "one" / CONFIG).read_text()
    assert config["target_modules"] == sorted(config["target_modules"])


def test_an_expert_of_other_modalities_or_without_weights_is_refused(base, tmp_path):
    save_adapter(trained_expert(base), tmp_path, "base")
    with pytest.raises(InputError, match="does not fit the base model and modalities"):
        load_denoiser(base, ["T1"], tmp_path)
    with pytest.raises(InputError, match="lacks adapter_model.safetensors"):
        merge_adapter(load_unet(base, MODALITIES), tmp_path / "nowhere", "base")

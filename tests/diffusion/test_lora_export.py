"""An expert loads by the public functions of PEFT and of diffusers, and each gives what ours gives."""

import warnings

import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from peft import PeftModel
from peft.tuners.lora import LoraLayer

from mosaicmr.diffusion.adapters import add_adapter, merge_adapter, save_adapter
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.conditioning import LAYOUT_CHANNELS
from mosaicmr.diffusion.lora_export import FILE
from mosaicmr.diffusion.unet import predict


@pytest.fixture(params=["bundled", "stable diffusion"])
def opened(request, base, stable_diffusion):
    return Base.open(base if request.param == "bundled" else stable_diffusion, ["T1", "T2"], precision="fp32")


@pytest.fixture
def folder(opened, tmp_path):
    """An expert as training might leave it: every trainable weight moved."""
    expert = add_adapter(opened.load_unet(), "lora", rank=2, seed=1, domain="oedema")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in expert.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    save_adapter(expert, tmp_path, "base")
    return tmp_path


def prediction(unet, opened):
    generator = torch.Generator().manual_seed(1)
    channels = unet.config.out_channels
    width = unet.config.cross_attention_dim
    inputs = (
        torch.randn(2, channels, 8, 8, generator=generator),
        torch.tensor([10, 900]),
        torch.randn(2, 6, width, generator=generator),
        torch.ones(2, 6, dtype=torch.uint8),
        torch.rand(2, LAYOUT_CHANNELS, 8, 8, generator=generator),
    )
    with torch.no_grad():
        return predict(unet.eval(), *inputs)


def test_diffusers_loads_every_layer_and_predicts_the_same(opened, folder):
    ours = prediction(merge_adapter(opened.load_unet(), folder, "base"), opened)
    unet = opened.load_unet()
    before = prediction(unet, opened)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*lora_bias.*")
        unet.load_lora_adapter(folder, prefix="unet", weight_name=FILE)
    layers = [
        name
        for name, module in opened.load_unet().named_modules()
        if isinstance(module, torch.nn.Linear | torch.nn.Conv2d)
    ]
    loaded = [name for name, module in unet.named_modules() if isinstance(module, LoraLayer)]
    assert sorted(loaded) == sorted(layers)
    torch.testing.assert_close(prediction(unet, opened), ours, rtol=1e-3, atol=1e-4)
    assert (ours - before).abs().max() > 0.01


def test_peft_loads_the_expert_and_predicts_the_same(opened, folder):
    ours = prediction(merge_adapter(opened.load_unet(), folder, "base"), opened)
    unet = PeftModel.from_pretrained(opened.load_unet(), folder)
    torch.testing.assert_close(prediction(unet.get_base_model(), opened), ours, rtol=1e-3, atol=1e-4)


def test_a_pipeline_finds_the_file_by_itself(opened, folder):
    state, _, metadata = StableDiffusionPipeline.lora_state_dict(folder, return_lora_metadata=True)
    assert state and all(name.startswith("unet.") for name in state)
    assert metadata["unet.rank_pattern"]["conv_in"] == opened.load_unet().conv_in.out_channels
    assert issubclass(type(opened.load_unet()), UNet2DConditionModel)


def test_the_file_is_the_same_for_the_same_weights(opened, tmp_path):
    files = []
    for name in ("first", "second"):
        save_adapter(add_adapter(opened.load_unet(), "lora", 2, 1, "oedema"), tmp_path / name, "base")
        files.append((tmp_path / name / FILE).read_bytes())
    assert files[0] == files[1]

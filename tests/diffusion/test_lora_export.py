"""An expert loads by the public functions of PEFT and of diffusers, and each gives what ours gives."""

import re
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
from tests.support.workflow import CHECKOUT


@pytest.fixture(params=["bundled", "stable diffusion"])
def opened(request, base, stable_diffusion):
    return Base.open(base if request.param == "bundled" else stable_diffusion, ["T1", "T2"], precision="fp32")


def move(expert):
    """Change every trainable weight, as training does."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in expert.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn(parameter.shape, generator=generator)


@pytest.fixture
def folder(opened, tmp_path):
    """An expert as training might leave it."""
    expert = add_adapter(opened.load_unet(), "lora", rank=2, seed=1, domain="oedema")
    move(expert)
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


def test_the_documented_snippet_loads_the_same_expert_twice(base, tmp_path, monkeypatch):
    modalities = ["FLAIR", "T1", "T1ce", "T2"]
    opened = Base.open(base, modalities, precision="fp32")
    expert = add_adapter(opened.load_unet(), "lora", rank=2, seed=1, domain="oedema")
    move(expert)
    save_adapter(expert, tmp_path / "results/demo/experts/oedema", "base")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "base").symlink_to(base)
    monkeypatch.chdir(tmp_path)
    text = (CHECKOUT / "docs" / "workflow.md").read_text()
    (snippet,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    names: dict = {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*lora_bias.*")
        exec(snippet, names)
    ours = prediction(merge_adapter(opened.load_unet(), tmp_path / "results/demo/experts/oedema", "base"), opened)
    for unet in (names["unet"], names["same"].get_base_model()):
        torch.testing.assert_close(prediction(unet, opened), ours, rtol=1e-3, atol=1e-4)


def test_the_documented_check_sees_that_nothing_was_loaded(opened, folder):
    unet = opened.load_unet()
    unet.load_lora_adapter(folder, weight_name=FILE)
    assert not [module for module in unet.modules() if isinstance(module, LoraLayer)]
    with pytest.raises(ValueError, match="No adapter loaded"):
        unet.active_adapters()


def test_an_expert_of_an_older_version_is_refused_by_diffusers_and_read_by_ours(opened, folder):
    ours = prediction(merge_adapter(opened.load_unet(), folder, "base"), opened)
    (folder / FILE).unlink()
    with pytest.raises(OSError, match=FILE):
        opened.load_unet().load_lora_adapter(folder, prefix="unet", weight_name=FILE)
    again = prediction(merge_adapter(opened.load_unet(), folder, "base"), opened)
    torch.testing.assert_close(again, ours, rtol=0, atol=0)


def test_the_file_is_the_same_for_the_same_weights(opened, tmp_path):
    files = []
    for name in ("first", "second"):
        save_adapter(add_adapter(opened.load_unet(), "lora", 2, 1, "oedema"), tmp_path / name, "base")
        files.append((tmp_path / name / FILE).read_bytes())
    assert files[0] == files[1]

"""Base models are found and read, and other folders are refused."""

import json
import shutil

import pytest
import torch

from mosaicmr.diffusion import base as base_module
from mosaicmr.diffusion import model_files
from mosaicmr.diffusion.adapters import add_adapter, save_adapter
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.denoiser import Denoiser
from mosaicmr.diffusion.model_files import digest, load_part
from mosaicmr.errors import InputError
from tests.support.tiny_models import MODALITIES


@pytest.fixture
def base(base, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(base, tmp_path / "base")


def test_a_bundled_base_gives_codec_and_schedule(base):
    opened = Base.open(base)
    assert opened.bundled and opened.modalities == tuple(MODALITIES)
    assert opened.schedule.config.prediction_type == "v_prediction"
    codec = opened.codec
    mean, std = codec.encode(torch.rand(2, 3, 32, 32))
    assert (codec.channels, codec.downsampling) == (2, 4)
    assert mean.shape == std.shape == (2, 6, 8, 8)
    assert codec.decode(mean).shape == (2, 3, 32, 32)


def test_a_stable_diffusion_folder_gives_codec_and_schedule(stable_diffusion):
    opened = Base.open(stable_diffusion)
    assert not opened.bundled
    assert opened.schedule.config.prediction_type == "epsilon"
    mean, _ = opened.codec.encode(torch.rand(1, 2, 16, 16))
    assert mean.shape == (1, 8, 8, 8)


def test_a_stable_diffusion_model_knows_no_modalities(stable_diffusion):
    with pytest.raises(InputError, match="was opened without modalities"):
        Base.open(stable_diffusion).load_unet()


def test_files_are_verified_once_and_parts_read_once_whatever_is_asked_for(base, tmp_path, monkeypatch):
    verified, read = [], []
    monkeypatch.setattr(model_files, "digest", lambda path: verified.append(path) or digest(path))
    monkeypatch.setattr(base_module, "load_part", lambda load, *rest, **options: read.append(rest[-1])
                        or load_part(load, *rest, **options))  # fmt: skip
    opened = Base.open(base, ["T1", "T2"])
    files = sorted(verified)
    assert files == sorted(base / name for name in opened.facts["sha256"])
    assert not read
    for name in ("oedema", "whole"):
        save_adapter(add_adapter(opened.load_unet(), "lora", 2, 1, name), tmp_path / name, opened.unet_name)
    read.clear()
    for _ in range(2):
        Denoiser.load(opened)
        for name in ("oedema", "whole"):
            Denoiser.load(opened, tmp_path / name)
        assert opened.codec is opened.codec and opened.text_encoder is opened.text_encoder
        assert opened.schedule is opened.schedule
    assert sorted(verified) == files
    assert sorted(read) == ["scheduler", "unet"]  # the codec is read by the path of its folder


def test_weights_published_in_half_precision_only_are_read(stable_diffusion, tmp_path):
    folder = shutil.copytree(stable_diffusion, tmp_path / "half")
    unet = folder / "unet"
    (unet / "diffusion_pytorch_model.safetensors").rename(unet / "diffusion_pytorch_model.fp16.safetensors")
    expected = Base.open(stable_diffusion, ["T1"]).load_unet().conv_in.weight
    torch.testing.assert_close(Base.open(folder, ["T1"]).load_unet().conv_in.weight, expected)


def test_a_changed_file_is_refused(base):
    path = base / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="unet/diffusion_pytorch_model.safetensors has the SHA-256"):
        Base.open(base, ["T1"])


def test_a_missing_and_an_unlisted_file_are_refused(base):
    unlisted = base / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    shutil.copy(base / "unet" / "diffusion_pytorch_model.safetensors", unlisted)
    with pytest.raises(InputError, match="fp16.safetensors is not listed"):
        Base.open(base, ["T1"])
    unlisted.unlink()
    (base / "vae" / "config.json").unlink()
    with pytest.raises(InputError, match="vae/config.json is missing"):
        Base.open(base)


def test_a_fact_that_is_missing_is_named(base):
    facts = json.loads((base / "mosaicmr.json").read_text())
    del facts["latent_channels"]
    (base / "mosaicmr.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match="lacks the key 'latent_channels'"):
        Base.open(base, ["T1"])


@pytest.mark.parametrize("change", [{"latent_mean": [9.0, 9.0]}, {"sha256": []}, {"components": "none"}])
def test_a_fact_that_was_changed_is_refused(base, change):
    facts = json.loads((base / "mosaicmr.json").read_text())
    (base / "mosaicmr.json").write_text(json.dumps(facts | change))
    with pytest.raises(InputError, match="was changed after the base was written"):
        Base.open(base)


def test_pickled_weights_are_never_read(stable_diffusion, tmp_path):
    folder = shutil.copytree(stable_diffusion, tmp_path / "pickled")
    unet = folder / "unet"
    (unet / "diffusion_pytorch_model.safetensors").unlink()
    torch.save(Base.open(stable_diffusion, ["T1"]).load_unet().state_dict(), unet / "diffusion_pytorch_model.bin")
    with pytest.raises(InputError, match="part 'unet' cannot be read from safetensors"):
        Base.open(folder, ["T1"]).load_unet()


@pytest.mark.parametrize("damage", ["truncated", "emptied"])
def test_damaged_weights_are_one_sentence(stable_diffusion, tmp_path, damage):
    folder = shutil.copytree(stable_diffusion, tmp_path / "damaged")
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:1000] if damage == "truncated" else b"")
    with pytest.raises(InputError, match="part 'unet' cannot be read"):
        Base.open(folder, ["T1"]).load_unet()


def test_what_is_no_model_is_refused_without_going_online(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "notes").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="neither mosaicmr.json nor model_index.json"):
        Base.open("notes", ["T1"])
    for missing in ("models/base", "nonsense", "/nowhere/base", "a/b/c"):
        with pytest.raises(InputError, match="there is no such folder"):
            Base.open(missing, ["T1"])


def test_a_folder_is_named_without_its_path(base):
    assert Base.open(base).name == "base"
    assert Base.open("owner/model").name == "owner/model"

"""Finding and reading base models, and refusing what is not one."""

import json
import shutil

import pytest
import torch

from mosaicmr.diffusion.base import base_name, is_bundled, load_codec, load_noise_schedule, load_unet
from mosaicmr.errors import InputError


@pytest.fixture
def base(base, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(base, tmp_path / "base")


def test_a_bundled_base_gives_codec_and_schedule(base):
    assert is_bundled(base)
    assert load_noise_schedule(base).config.prediction_type == "v_prediction"
    codec = load_codec(base)
    mean, std = codec.encode(torch.rand(2, 3, 32, 32))
    assert (codec.channels, codec.downsampling) == (2, 4)
    assert mean.shape == std.shape == (2, 6, 8, 8)
    assert codec.decode(mean).shape == (2, 3, 32, 32)


def test_a_stable_diffusion_folder_gives_codec_and_schedule(stable_diffusion):
    assert not is_bundled(stable_diffusion)
    assert load_noise_schedule(stable_diffusion).config.prediction_type == "epsilon"
    mean, _ = load_codec(stable_diffusion).encode(torch.rand(1, 2, 16, 16))
    assert mean.shape == (1, 8, 8, 8)


def test_weights_published_in_half_precision_only_are_read(stable_diffusion, tmp_path):
    folder = shutil.copytree(stable_diffusion, tmp_path / "half")
    unet = folder / "unet"
    (unet / "diffusion_pytorch_model.safetensors").rename(unet / "diffusion_pytorch_model.fp16.safetensors")
    expected = load_unet(stable_diffusion, ["T1"]).conv_in.weight
    torch.testing.assert_close(load_unet(folder, ["T1"]).conv_in.weight, expected)


def test_a_changed_file_is_refused(base):
    path = base / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="unet/diffusion_pytorch_model.safetensors has the SHA-256"):
        load_unet(base, ["T1"])


def test_a_missing_and_an_unlisted_file_are_refused(base):
    unlisted = base / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    shutil.copy(base / "unet" / "diffusion_pytorch_model.safetensors", unlisted)
    with pytest.raises(InputError, match="fp16.safetensors is not listed"):
        load_unet(base, ["T1"])
    unlisted.unlink()
    (base / "vae" / "config.json").unlink()
    with pytest.raises(InputError, match="vae/config.json is missing"):
        load_codec(base)


def test_a_fact_that_is_missing_is_named(base):
    facts = json.loads((base / "mosaicmr.json").read_text())
    del facts["latent_channels"]
    (base / "mosaicmr.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match="lacks the key 'latent_channels'"):
        load_unet(base, ["T1"])


@pytest.mark.parametrize("change", [{"latent_mean": [9.0, 9.0]}, {"sha256": []}, {"components": "none"}])
def test_a_fact_that_was_changed_is_refused(base, change):
    facts = json.loads((base / "mosaicmr.json").read_text())
    (base / "mosaicmr.json").write_text(json.dumps(facts | change))
    with pytest.raises(InputError, match="was changed after the base was written"):
        load_codec(base)


def test_pickled_weights_are_never_read(stable_diffusion, tmp_path):
    folder = shutil.copytree(stable_diffusion, tmp_path / "pickled")
    unet = folder / "unet"
    (unet / "diffusion_pytorch_model.safetensors").unlink()
    torch.save(load_unet(stable_diffusion, ["T1"]).state_dict(), unet / "diffusion_pytorch_model.bin")
    with pytest.raises(InputError, match="part 'unet' cannot be read from safetensors"):
        load_unet(folder, ["T1"])


@pytest.mark.parametrize("damage", ["truncated", "emptied"])
def test_damaged_weights_are_one_sentence(stable_diffusion, tmp_path, damage):
    folder = shutil.copytree(stable_diffusion, tmp_path / "damaged")
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:1000] if damage == "truncated" else b"")
    with pytest.raises(InputError, match="part 'unet' cannot be read"):
        load_unet(folder, ["T1"])


def test_what_is_no_model_is_refused_without_going_online(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "notes").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="neither mosaicmr.json nor model_index.json"):
        load_unet("notes", ["T1"])
    for missing in ("models/base", "nonsense", "/nowhere/base", "a/b/c"):
        with pytest.raises(InputError, match="there is no such folder"):
            load_unet(missing, ["T1"])


def test_a_folder_is_named_without_its_path(base):
    assert base_name(base) == "base"
    assert base_name("owner/model") == "owner/model"

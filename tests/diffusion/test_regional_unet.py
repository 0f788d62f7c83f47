"""The bundled base's U-Net: the prompt's words on a tumour class act on the pixels of that class."""

import pytest
import torch

from mosaicmr.cohort.labels import ENHANCING, OEDEMA, TUMOUR_CLASSES
from mosaicmr.diffusion.adapters import add_adapter, trainable_parameters
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.conditioning import encode_layout
from mosaicmr.diffusion.look_reader import LOOKS
from mosaicmr.diffusion.regional_unet import GAIN, RegionalUNet, look_maps
from mosaicmr.diffusion.unet import predict
from mosaicmr.prompts.looks import SHADES
from tests.support.tiny_models import MODALITIES, TINY

CLASSES = len(TUMOUR_CLASSES)
FLAIR, T2 = MODALITIES.index("FLAIR"), MODALITIES.index("T2")


def test_words_lie_on_the_pixels_of_their_class():
    domains = torch.zeros(1, 16, 16, dtype=torch.uint8)
    domains[:, 4:8, :8] = 2  # oedema covers whole latent pixels
    domains[:, 8:12, :2] = 3  # enhancing tumour covers half of one
    layout = encode_layout(domains, [1, OEDEMA.value, ENHANCING.value], healthy=2, downsampling=4)
    words = torch.zeros(1, CLASSES, len(MODALITIES), LOOKS)
    words[0, OEDEMA.value - 1, FLAIR, SHADES.index("bright")] = 1.0
    words[0, ENHANCING.value - 1, T2, SHADES.index("dark")] = 1.0
    maps = look_maps(words, layout).unflatten(1, (len(MODALITIES), LOOKS))
    expected = torch.zeros_like(maps)
    expected[0, FLAIR, SHADES.index("bright"), 1, :2] = GAIN
    expected[0, T2, SHADES.index("dark"), 2, 0] = GAIN / 2
    torch.testing.assert_close(maps, expected)


def test_the_reader_is_no_part_of_what_an_expert_trains(base):
    base = Base.open(base, MODALITIES)
    assert isinstance(base.unet, RegionalUNet)
    for method in ("lora", "full"):
        expert = add_adapter(base.load_unet(), method, rank=2, seed=1, domain="oedema")
        assert trainable_parameters(expert)
        assert not any("reader" in name for name in trainable_parameters(expert))


def test_a_subset_keeps_the_answers_on_its_modalities_in_its_order(base):
    whole, part = Base.open(base, MODALITIES).unet, Base.open(base, ["T2", "FLAIR"]).unet
    states = torch.randn(2, 5, 384)
    torch.testing.assert_close(part.read(states, None), whole.read(states, None)[:, :, [T2, FLAIR]])


@torch.no_grad()
def test_a_word_changes_the_prediction_where_its_class_is_laid_out(base, monkeypatch: pytest.MonkeyPatch):
    unet = Base.open(base, MODALITIES).unet
    sample = torch.randn(1, unet.config.out_channels, 8, 8)
    states, mask = torch.randn(1, 5, 384), torch.ones(1, 5)
    words = torch.zeros(2, 1, CLASSES, len(MODALITIES), LOOKS)
    words[1, 0, OEDEMA.value - 1, FLAIR, SHADES.index("bright")] = 1.0

    def predictions(layout: torch.Tensor) -> list[torch.Tensor]:
        found = []
        for said in words:
            monkeypatch.setattr(unet, "read", lambda *_, said=said: said)
            found.append(predict(unet, sample, torch.tensor([500]), states, mask, layout))
        return found

    domains = torch.zeros(1, 32, 32, dtype=torch.uint8)
    domains[:, :16, :16] = 1
    silent, bright = predictions(encode_layout(domains, [OEDEMA.value], healthy=1, downsampling=4))
    assert not torch.allclose(silent, bright, atol=1e-4)
    silent, bright = predictions(encode_layout(domains, [ENHANCING.value], healthy=1, downsampling=4))
    torch.testing.assert_close(silent, bright)


def test_an_empty_prompt_says_nothing(base):
    unet = Base.open(base, MODALITIES).unet
    states = torch.randn(3, 5, 384)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]])
    words = unet.read(states, mask)
    assert words[0].max() > 0
    assert (words[1:] == 0).all()


def test_a_new_network_reads_nothing_into_a_prompt():
    unet = RegionalUNet(in_channels=8 + 24 + 4 * LOOKS, out_channels=8, modalities=4, cross_attention_dim=16, **TINY)
    assert unet.read(torch.randn(2, 5, 16), None).max() < 1e-3

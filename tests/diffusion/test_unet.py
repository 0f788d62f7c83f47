"""Fitting the U-Net to a cohort's modalities."""

import pytest
import torch

from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.conditioning import LAYOUT_CHANNELS
from mosaicmr.diffusion.unet import choose_attention, inflate, predict
from mosaicmr.errors import InputError
from tests.support.tiny_models import LATENT_CHANNELS, MODALITIES, tiny_unet

SIZE = 8
TIMESTEPS = torch.tensor([10, 700])
# Added to the reader's logits: neither brightness nor texture was said.
SAYS_NOTHING = torch.tensor([1e4, 0, 0, 0, 1e4, 0, 0])


def condition(width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.ones(2, 5, dtype=torch.uint8)
    mask[:, 3:] = 0
    layout = torch.rand(2, LAYOUT_CHANNELS, SIZE, SIZE, generator=generator)
    return torch.randn(2, 5, width, generator=generator), mask, layout


@torch.no_grad()
def test_a_subset_of_modalities_computes_what_the_full_model_does_with_the_others_at_zero(base):
    subset = ["T2", "FLAIR"]  # another order than the base's, too
    embeddings, mask, layout = condition(384)
    latents = torch.randn(2, len(subset) * LATENT_CHANNELS, SIZE, SIZE)
    rows = torch.cat([torch.arange(2) + MODALITIES.index(modality) * LATENT_CHANNELS for modality in subset])
    all_latents = torch.zeros(2, len(MODALITIES) * LATENT_CHANNELS, SIZE, SIZE)
    all_latents[:, rows] = latents

    everything = Base.open(base, MODALITIES).unet
    absent = [index for index, modality in enumerate(MODALITIES) if modality not in subset]
    everything.reader.bias[:, absent] = SAYS_NOTHING
    full = predict(everything, all_latents, TIMESTEPS, embeddings, mask, layout)
    part = predict(Base.open(base, subset).unet, latents, TIMESTEPS, embeddings, mask, layout)

    assert part.std() > 0.01
    torch.testing.assert_close(part, full[:, rows], atol=1e-5, rtol=1e-5)


def test_a_modality_that_the_base_does_not_know_is_refused(base):
    with pytest.raises(InputError, match="ADC.*choose from FLAIR, T1, T1ce, T2"):
        Base.open(base, ["T1", "ADC"]).load_unet()


@torch.no_grad()
def test_an_inflated_model_gives_the_pretrained_output_when_all_modalities_have_the_same_latents(stable_diffusion):
    pretrained = Base.open(stable_diffusion, ["T1"]).unet
    pretrained.conv_in.weight[:, 4:].zero_()
    inflated = Base.open(stable_diffusion, ["T1", "T2", "FLAIR"]).unet
    embeddings, mask, layout = condition(32)
    latents = torch.randn(2, 4, SIZE, SIZE)

    one = predict(pretrained, latents, TIMESTEPS, embeddings, mask, torch.zeros_like(layout))
    three = predict(inflated, latents.repeat(1, 3, 1, 1), TIMESTEPS, embeddings, mask, layout)

    assert one.std() > 0.01
    torch.testing.assert_close(three, one.repeat(1, 3, 1, 1), atol=1e-5, rtol=1e-5)


def test_an_inpainting_model_is_refused():
    with pytest.raises(InputError, match="9 input and 4 output"):
        inflate(tiny_unet(9, 4, text_width=32), 2)


@torch.no_grad()
def test_masked_tokens_change_nothing_and_the_others_do(base):
    unet = Base.open(base, ["T1"]).unet
    embeddings, mask, layout = condition(384)
    latents = torch.randn(2, LATENT_CHANNELS, SIZE, SIZE)
    before = predict(unet, latents, TIMESTEPS, embeddings, mask, layout)
    embeddings[:, 3:] += 1
    torch.testing.assert_close(predict(unet, latents, TIMESTEPS, embeddings, mask, layout), before)
    embeddings[:, 0] += 1
    assert not torch.allclose(predict(unet, latents, TIMESTEPS, embeddings, mask, layout), before)


@torch.no_grad()
def test_room_for_longer_prompts_changes_no_short_one(stable_diffusion):
    unet = Base.open(stable_diffusion, ["T1"]).unet
    window, _, layout = condition(32)
    latents = torch.randn(2, 4, SIZE, SIZE)
    before = predict(unet, latents, TIMESTEPS, window, torch.ones(2, 5), layout)
    roomy, mask = torch.cat([window, torch.zeros(2, 10, 32)], 1), torch.zeros(2, 15)
    mask[:, :5] = 1
    assert torch.equal(predict(unet, latents, TIMESTEPS, roomy, mask, layout), before)
    # Beside a prompt of two windows, in one batch.
    roomy[1, 5:10], mask[1, 5:10] = torch.randn(5, 32), 1
    beside = predict(unet, latents, TIMESTEPS, roomy, mask, layout)
    torch.testing.assert_close(beside[0], before[0], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(beside[1], before[1])


@torch.no_grad()
def test_the_attention_chosen_for_speed_computes_the_same(base):
    unet = Base.open(base, ["T1"]).unet
    embeddings, mask, layout = condition(384)
    latents = torch.randn(2, LATENT_CHANNELS, SIZE, SIZE)
    fused = predict(unet, latents, TIMESTEPS, embeddings, mask, layout)
    before = {type(processor) for processor in unet.attn_processors.values()}
    choose_attention(unet, torch.device("cpu"), torch.bfloat16)
    assert {type(processor) for processor in unet.attn_processors.values()} != before
    torch.testing.assert_close(predict(unet, latents, TIMESTEPS, embeddings, mask, layout), fused, atol=1e-5, rtol=1e-5)

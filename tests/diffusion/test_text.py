"""Text encoders: the bundled MiniLM, and the CLIP of a Stable Diffusion folder."""

import logging

import pandas as pd
import pytest
import torch
from transformers import CLIPTextModel, CLIPTokenizer

from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.text import BUNDLED_LENGTH, embed_in_batches, embed_prompts, unique_prompts


@pytest.fixture(scope="module")
def bundled(base):
    return Base.open(base).text_encoder


@pytest.fixture(scope="module")
def clip(stable_diffusion):
    return Base.open(stable_diffusion).text_encoder


def test_the_bundled_encoder_masks_its_padding(bundled):
    embeddings, mask = bundled(["oedema", "a brain with a large tumour"])
    assert embeddings.shape == (2, BUNDLED_LENGTH, 384) and embeddings.dtype == torch.float32
    assert mask.shape == (2, BUNDLED_LENGTH) and mask.dtype == torch.uint8
    assert 2 < mask[0].sum() < mask[1].sum() < 20


def test_an_embedding_does_not_depend_on_the_other_prompts(bundled):
    alone, _ = bundled(["oedema"])
    together, _ = bundled(["a brain with a large tumour in the right hemisphere", "oedema"])
    torch.testing.assert_close(together[1], alone[0], atol=1e-5, rtol=1e-4)


def test_meaning_shows_in_the_bundled_embeddings(bundled):
    embeddings, mask = bundled(["brain tumour", "glioma in the brain", "a recipe for apple pie"])
    weights = mask[..., None].float()
    sentences = torch.nn.functional.normalize((embeddings * weights).sum(1) / weights.sum(1))
    assert sentences[0] @ sentences[1] > sentences[0] @ sentences[2] + 0.2


WINDOW = 77
SHORT = "a brain"
FULL = "brain " * 15  # a window of the tiny tokenizer, which has a token a letter
REST = "oedema bright"


def one_window(folder, prompt):
    """The states that CLIP itself gives to a prompt that fits."""
    tokenizer = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer", local_files_only=True)
    encoder = CLIPTextModel.from_pretrained(folder, subfolder="text_encoder", local_files_only=True).eval()
    tokens = tokenizer([prompt], padding="max_length", max_length=WINDOW, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        return encoder(input_ids=tokens.input_ids).last_hidden_state[0]


@pytest.mark.parametrize("prompt", ["", SHORT])
def test_clip_gives_a_short_prompt_what_one_window_does_and_masks_the_rest(stable_diffusion, clip, prompt):
    embeddings, mask = clip([prompt])
    assert embeddings.shape == (1, 3 * WINDOW, 32) and embeddings.dtype == torch.float32
    assert mask.shape == (1, 3 * WINDOW) and mask.dtype == torch.uint8
    torch.testing.assert_close(embeddings[0, :WINDOW], one_window(stable_diffusion, prompt))
    assert mask[0, :WINDOW].all() and not mask[0, WINDOW:].any()
    assert not embeddings[0, WINDOW:].any()


def test_clip_reads_a_long_prompt_in_windows_as_if_each_were_a_prompt(stable_diffusion, clip, caplog):
    with caplog.at_level(logging.WARNING, logger="mosaicmr"):
        embeddings, mask = clip([FULL + REST, SHORT])
    assert not caplog.text
    torch.testing.assert_close(embeddings[0, :WINDOW], one_window(stable_diffusion, FULL))
    torch.testing.assert_close(embeddings[0, WINDOW : 2 * WINDOW], one_window(stable_diffusion, REST))
    assert mask.sum(1).tolist() == [2 * WINDOW, WINDOW]
    torch.testing.assert_close(embeddings[1], clip([SHORT])[0][0])


def test_the_last_words_of_a_long_prompt_are_read(clip):
    one, other = (clip([FULL + word])[0][0] for word in ("dark", "bright"))
    assert torch.equal(one[:WINDOW], other[:WINDOW])
    assert not torch.allclose(one[WINDOW:], other[WINDOW:])


def test_clip_cuts_what_three_windows_do_not_hold_with_a_warning(clip, caplog):
    with caplog.at_level(logging.WARNING, logger="mosaicmr"):
        embeddings, mask = clip(["brain " * 60])
    assert embeddings.shape[1] == 3 * WINDOW and mask.all()
    assert "1 prompts are longer than the encoder's 225 tokens" in caplog.text


def test_the_empty_prompt_comes_first(bundled):
    embeddings, mask = embed_prompts(bundled, ["oedema", "necrosis", "brain"])
    assert (
        embeddings.shape == (4, BUNDLED_LENGTH, 384)
        and embeddings.dtype == torch.float16
        and mask.shape == (4, BUNDLED_LENGTH)
    )
    torch.testing.assert_close(embeddings[0], bundled([""])[0][0].half(), atol=1e-3, rtol=1e-2)
    torch.testing.assert_close(embeddings[3], bundled(["brain"])[0][0].half(), atol=1e-3, rtol=1e-2)


def test_prompts_in_batches_keep_their_order(bundled):
    prompts = ["", "oedema", "necrosis"]
    batches = list(embed_in_batches(bundled, prompts, batch_size=2))
    assert [len(mask) for _, mask in batches] == [2, 1]
    together = embed_prompts(bundled, prompts[1:])
    torch.testing.assert_close(torch.cat([states for states, _ in batches]), together[0], atol=1e-3, rtol=1e-2)


def test_a_prompt_that_is_too_long_is_cut_with_a_warning(bundled, caplog):
    with caplog.at_level(logging.WARNING, logger="mosaicmr"):
        embeddings, mask = bundled(["brain " * 300])
    assert mask.all() and embeddings.shape[1] == BUNDLED_LENGTH
    assert "1 prompts are longer" in caplog.text


def test_prompts_are_gathered_from_every_prompt_column_once():
    training = pd.DataFrame({"slice": ["a", "b"], "prompt": ["x", "y"]})
    layouts = pd.DataFrame({"prompt_oedema": ["y", None], "prompt_whole": ["z", ""]})
    assert unique_prompts([training, layouts]) == ["x", "y", "z"]

"""Text encoders: the bundled MiniLM, and the CLIP of a Stable Diffusion folder."""

import logging

import pandas as pd
import pytest
import torch

from mosaicmr.diffusion.text import BUNDLED_LENGTH, embed_prompts, load_text_encoder, unique_prompts
from tests.support.tiny_models import make_tiny_base, make_tiny_stable_diffusion


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    return load_text_encoder(make_tiny_base(tmp_path_factory.mktemp("base")))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return load_text_encoder(make_tiny_stable_diffusion(tmp_path_factory.mktemp("stable_diffusion")))


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


def test_clip_attends_to_all_of_its_77_tokens(clip):
    embeddings, mask = clip(["oedema", "a brain"])
    assert embeddings.shape == (2, 77, 32)
    assert mask.shape == (2, 77) and mask.all()
    assert not torch.allclose(embeddings[0], embeddings[1])


def test_the_empty_prompt_comes_first(bundled):
    embeddings, mask = embed_prompts(bundled, ["oedema", "necrosis", "brain"], batch_size=2)
    assert (
        embeddings.shape == (4, BUNDLED_LENGTH, 384)
        and embeddings.dtype == torch.float16
        and mask.shape == (4, BUNDLED_LENGTH)
    )
    torch.testing.assert_close(embeddings[0], bundled([""])[0][0].half(), atol=1e-3, rtol=1e-2)
    torch.testing.assert_close(embeddings[3], bundled(["brain"])[0][0].half(), atol=1e-3, rtol=1e-2)


def test_a_prompt_that_is_too_long_is_cut_with_a_warning(bundled, caplog):
    with caplog.at_level(logging.WARNING, logger="mosaicmr"):
        embeddings, mask = bundled(["brain " * 300])
    assert mask.all() and embeddings.shape[1] == BUNDLED_LENGTH
    assert "1 prompts are longer" in caplog.text


def test_prompts_are_gathered_from_every_prompt_column_once():
    training = pd.DataFrame({"slice": ["a", "b"], "prompt": ["x", "y"]})
    layouts = pd.DataFrame({"prompt_oedema": ["y", None], "prompt_whole": ["z", ""]})
    assert unique_prompts([training, layouts]) == ["x", "y", "z"]

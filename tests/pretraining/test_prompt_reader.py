"""The reader of prompts: its training set, and that it learns to read."""

import dataclasses
import functools
import zlib

import numpy as np
import pytest
import torch
from torch.func import functional_call

from mosaicmr.cohort.labels import TUMOUR_CLASSES
from mosaicmr.errors import InputError
from mosaicmr.pretraining import prompt_reader
from mosaicmr.pretraining.prompt_reader import ReaderSettings, draw_labelled_prompt, fit_reader
from mosaicmr.prompts.looks import SHADES, TEXTURES
from mosaicmr.prompts.templates import MODALITY_WORDS

MODALITIES = ["FLAIR", "T2"]


def test_the_answers_are_what_the_prompt_says():
    generator = np.random.default_rng(0)
    said_anything = 0
    for _ in range(50):
        prompt, said = draw_labelled_prompt(generator, MODALITIES)
        assert said.shape == (len(TUMOUR_CLASSES), len(MODALITIES), 2)
        sentences = dict(sentence.split(": ") for sentence in prompt.split(". ")[1:])
        for tumour, answers in zip(TUMOUR_CLASSES, said, strict=True):
            phrases = [
                f"{MODALITY_WORDS[name]} {SHADES[brightness - 1]} {TEXTURES[texture - 1]}"
                for name, (brightness, texture) in zip(MODALITIES, answers, strict=True)
                if brightness
            ]
            assert sentences.get(tumour.words, "") == ", ".join(phrases)
            said_anything += len(phrases)
    assert said_anything > 50


@functools.cache
def vector_of(word: str) -> torch.Tensor:
    """A random vector [48], always the same for the same word."""
    generator = np.random.default_rng(zlib.crc32(word.encode()))
    return torch.from_numpy(0.3 * generator.standard_normal(48)).float()


def encode_words(prompts):
    """States that tell each word and nothing of those around it: the reader has to find out whose word it is."""
    states, mask = torch.zeros(len(prompts), 90, 48), torch.zeros(len(prompts), 90, dtype=torch.uint8)
    for row, prompt in enumerate(prompts):
        for place, word in enumerate(["", *prompt.replace(",", "").split(" ")]):
            states[row, place] = vector_of(word)
            mask[row, place] = 1
    return states, mask


def test_a_reader_resumed_after_a_kill_is_the_same_and_takes_no_step_twice(tmp_path, monkeypatch):
    settings = ReaderSettings(prompts=20, steps=5, batch_size=4, learning_rate=0.01, checkpoint_every=3)
    taken = []

    def read(*arguments):
        taken.append(1)
        return functional_call(*arguments)

    monkeypatch.setattr(prompt_reader, "functional_call", read)
    whole, resumed = (fit_reader(encode_words, settings, ["FLAIR"], 1, tmp_path / "reader.safetensors") for _ in "ab")
    # A checkpoint after three of five steps is what a kill leaves.
    assert len(taken) == 5 + 2
    for name, tensor in whole.reader.named_buffers():
        assert torch.equal(tensor, resumed.reader.get_buffer(name))


def test_states_that_are_not_finite_end_the_training():
    def encode_as_nothing(prompts):
        return torch.full((len(prompts), 4, 8), float("nan")), torch.ones(len(prompts), 4, dtype=torch.uint8)

    settings = ReaderSettings(prompts=10, steps=2, batch_size=4, learning_rate=0.01, checkpoint_every=2)
    with pytest.raises(InputError, match=r"nan in step 1 .*pretrain\.reader\.learning_rate"):
        fit_reader(encode_as_nothing, settings, ["FLAIR"], seed=1)


def test_a_reader_learns_to_read_and_is_the_same_for_the_same_seed():
    settings = ReaderSettings(prompts=600, steps=300, batch_size=32, learning_rate=0.003, checkpoint_every=300)
    fitted = fit_reader(encode_words, settings, ["FLAIR"], seed=1)
    # By chance a third and a half.
    assert fitted.brightness > 0.9
    assert fitted.texture > 0.9
    short = dataclasses.replace(settings, steps=20)
    first, again = (fit_reader(encode_words, short, ["FLAIR"], seed=1).reader.values for _ in range(2))
    assert torch.equal(first, again)

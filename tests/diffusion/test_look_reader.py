"""The reader's arithmetic: whose words go to whom, and what distance and padding do."""

import torch

from mosaicmr.cohort.labels import OEDEMA, TUMOUR_CLASSES
from mosaicmr.diffusion.look_reader import FEATURES, LOOKS, LookReader, word_probabilities
from mosaicmr.prompts.looks import SHADES, TEXTURES

MODALITIES, T2, WIDTH = 4, 3, 8


def random_reader() -> LookReader:
    """A reader with random weights."""
    generator = torch.Generator().manual_seed(0)
    reader = LookReader(WIDTH, MODALITIES)
    for weights in reader.buffers():
        weights.copy_(torch.randn(weights.shape, generator=generator) / weights.shape[-1] ** 0.5)
    return reader


def test_each_question_gets_the_words_of_the_token_that_it_attends_to():
    # Of oedema in T2, token 1 says that it is bright and token 2 that it is heterogeneous; nothing else is said.
    reader, oedema = LookReader(WIDTH, MODALITIES), OEDEMA.value - 1
    reader.projection[torch.arange(WIDTH), torch.arange(WIDTH)] = 1.0
    for question, (token, answer) in enumerate(
        [
            (1, 1 + SHADES.index("bright")),
            (2, 2 + len(SHADES) + TEXTURES.index("heterogeneous")),
        ]
    ):
        reader.queries[oedema, T2, question, token] = 100.0
        reader.values[oedema, T2, answer, token] = 50.0
    said = torch.zeros(LOOKS)
    said[SHADES.index("bright")] = said[len(SHADES) + TEXTURES.index("heterogeneous")] = 1.0
    states = torch.eye(WIDTH)[None, :3]
    words = word_probabilities(reader(states, torch.ones(1, 3)))
    assert words.shape == (1, len(TUMOUR_CLASSES), MODALITIES, LOOKS)
    torch.testing.assert_close(words[0, oedema, T2], said, atol=1e-3, rtol=0)
    words[0, oedema, T2] = 0.0
    assert words.max() < 1e-3

    hidden = word_probabilities(reader(states, torch.tensor([[1, 0, 1]])))[0, oedema, T2]
    torch.testing.assert_close(hidden, said * (torch.arange(LOOKS) >= len(SHADES)), atol=1e-3, rtol=0)


def test_a_token_is_read_with_those_near_it():
    # Two prompts of the same tokens; the first two have changed places.
    reader, generator = random_reader(), torch.Generator().manual_seed(1)
    states = torch.randn(1, 6, WIDTH, generator=generator)
    swapped = states[:, [1, 0, 2, 3, 4, 5]]
    mask = torch.ones(1, 6)
    assert not torch.allclose(reader(states, mask), reader(swapped, mask), atol=1e-4)
    reader.mixture.zero_()  # each token by itself
    torch.testing.assert_close(reader(states, mask), reader(swapped, mask))


def test_padding_makes_no_difference():
    reader, generator = random_reader(), torch.Generator().manual_seed(1)
    states = torch.randn(2, 9, WIDTH, generator=generator)
    mask = (torch.arange(9) < 6).float().expand(2, 9)
    torch.testing.assert_close(reader(states, mask), reader(states[:, :6], mask[:, :6]))


def test_it_is_no_parameter_of_a_network():
    assert not list(LookReader(WIDTH, MODALITIES).parameters())
    assert LookReader(WIDTH, MODALITIES).projection.shape == (FEATURES, WIDTH)

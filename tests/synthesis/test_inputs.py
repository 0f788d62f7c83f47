"""Reading of layouts and prompt embeddings."""

import numpy as np
import pandas as pd
import pytest
import torch

from mosaicmr.diffusion.conditioning import LAYOUT_CHANNELS, encode_layout
from mosaicmr.errors import InputError
from mosaicmr.io import save_arrays, save_table
from mosaicmr.synthesis.inputs import Embeddings, Layouts
from tests.support.fake_experts import NAMES, grey_layouts


@pytest.fixture
def embeddings(tmp_path):
    states = np.arange(3 * 2 * 4, dtype=np.float16).reshape(3, 2, 4)
    mask = np.array([[1, 0], [1, 1], [1, 1]], np.uint8)
    save_arrays(tmp_path / "e.safetensors", {"embeddings": states, "mask": mask})
    save_table(tmp_path / "e.parquet", pd.DataFrame({"prompt": ["oedema", "whole"], "row": [2, 1]}))
    return Embeddings.load(tmp_path / "e.safetensors", tmp_path / "e.parquet")


def test_prompts_are_looked_up_and_nothing_asked_is_row_zero(embeddings):
    states, mask = embeddings.of(["whole", "", "oedema"])
    assert states.dtype == torch.float32
    assert states[:, 0, 0].tolist() == [8, 0, 16]
    assert mask.tolist() == [[1, 1], [1, 0], [1, 1]]


def test_a_prompt_that_was_not_embedded_is_named(embeddings):
    with pytest.raises(InputError, match="lacks the prompt 'unheard of'"):
        embeddings.of(["whole", "unheard of"])


def test_layouts_come_back_from_their_files(tmp_path):
    expected = grey_layouts()
    expected.save(tmp_path / "b.safetensors")

    layouts = Layouts.open(tmp_path / "b.safetensors")

    assert len(layouts) == 5
    assert layouts.names == NAMES
    assert np.array_equal(layouts.source, expected.source)
    assert layouts.identifiers[2] == "s00002"
    assert layouts.prompts("oedema", np.array([0, 3])) == ["paint oedema", "paint oedema"]


def test_an_expert_has_the_rows_in_which_its_domain_occurs():
    layouts = grey_layouts()
    assert layouts.rows_with("necrosis").tolist() == [0]
    assert layouts.rows_with("oedema").tolist() == [0, 1, 2, 3, 4]
    assert layouts.rows_with("enhancing").size == 0
    assert layouts.rows_with("whole").tolist() == [0, 1, 2, 3, 4]


def test_layout_channels_are_those_of_training():
    layouts = grey_layouts()
    channels = layouts.channels(4, np.array([1, 0]))
    assert channels.shape == (2, LAYOUT_CHANNELS, 4, 4)
    # Ids 1 to 3 are classes 1 to 3; ids 4 and 5 are two healthy domains.
    assert torch.equal(channels, encode_layout(layouts.domains[[1, 0]], [1, 2, 3], 2, 4))

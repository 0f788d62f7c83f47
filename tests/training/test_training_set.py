"""Gathering an expert's training slices, and encoding them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.latents import encode_slices
from mosaicmr.errors import InputError
from mosaicmr.io import save_arrays, save_table
from mosaicmr.partition.domains import Domain
from mosaicmr.training.training_set import Prompts, Shard, load_adaptation_slices, load_training_slices

# The base knows the cohort's first class as its third.
CLASSES = (
    {"name": "rim", "values": [1], "words": "rim", "like": "enhancing"},
    {"name": "oedema", "values": [2], "words": "oedema", "like": "oedema"},
)
NAMES = ("rim", "oedema", "healthy1")
HEADER = SliceHeader(("FLAIR", "T1ce"), 1.5, LabelScheme.from_records(CLASSES).classes, NAMES)
DOMAINS = [
    Domain(1, "rim", "tumour", tumour_class=1),
    Domain(2, "oedema", "tumour", tumour_class=2),
    Domain(3, "healthy1", "healthy", grey_low=0.0, grey_high=1.0),
]


@pytest.fixture
def files(tmp_path):
    """Two shards of three slices: row 1 is of no training patient, oedema is in row 0 of shard a and row 2 of b."""
    shards, prompts = [], []
    for shard, with_oedema in (("a", 0), ("b", 2)):
        rows = np.array([0, 2], np.int32)
        mean = np.stack([np.full((2, 4, 4), 10 * (shard == "b") + row) for row in rows]).astype(np.float16)
        domains = np.full((3, 16, 16), 3, np.uint8)
        domains[1, 0, 0] = 2
        domains[with_oedema, 5, 5] = 2
        paths = Shard(*(tmp_path / f"{shard}-{kind}" for kind in ("latents", "domains", "table")))
        save_arrays(paths.latents, {"mean": mean, "std": mean, "row": rows}, HEADER.metadata)
        save_arrays(paths.domains, {"domains": domains}, HEADER.metadata)
        save_table(paths.table, pd.DataFrame({"slice": [f"{shard}{row}" for row in range(3)], "row": range(3)}))
        shards.append(paths)
        for row in (0, 2):
            prompts.append((f"{shard}{row}", "whole", f"whole {shard}{row}"))
        prompts.append((f"{shard}{with_oedema}", "oedema", f"oedema {shard}"))
    table = pd.DataFrame(prompts, columns=["slice", "domain", "prompt"])
    texts = ["", *sorted(table["prompt"])]
    embeddings = np.arange(len(texts), dtype=np.float16)[:, None, None] * np.ones((1, 2, 3), np.float16)
    names = Prompts(tmp_path / "prompts", tmp_path / "embeddings", tmp_path / "embedding_table")
    save_table(names.table, table)
    save_arrays(names.embeddings, {"embeddings": embeddings, "mask": np.ones((len(texts), 2), np.uint8)})
    save_table(names.embedding_table, pd.DataFrame({"prompt": texts, "row": range(len(texts))}))
    return shards, names, texts


def test_an_expert_gets_the_training_slices_with_its_domain_and_their_prompts(files):
    shards, prompts, texts = files
    slices = load_training_slices(shards, prompts, "oedema", DOMAINS, with_std=False)
    assert slices.mean[:, 0, 0, 0].tolist() == [0, 12]
    assert slices.std is None
    assert (slices.domains == 2).any((1, 2)).all()
    used = slices.embeddings[slices.prompts[:, 0], 0, 0].astype(int)
    assert [texts[row] for row in used] == ["oedema a", "oedema b"]
    assert len(slices.embeddings) == 3 and (slices.embeddings[0] == 0).all()  # the empty prompt and the two used
    assert (slices.tumour_classes, slices.healthy, slices.downsampling) == ((3, 2), 1, 4)


def test_the_whole_slice_model_gets_every_training_slice(files):
    shards, prompts, texts = files
    slices = load_training_slices(shards, prompts, "whole", DOMAINS, with_std=True)
    assert slices.mean[:, 0, 0, 0].tolist() == [0, 2, 10, 12]
    assert slices.std.shape == slices.mean.shape
    used = slices.embeddings[slices.prompts[:, 0], 0, 0].astype(int)
    assert [texts[row] for row in used] == ["whole a0", "whole a2", "whole b0", "whole b2"]


def test_the_adapted_base_gets_every_training_slice_with_the_prompts_of_all_it_contains(files):
    shards, prompts, texts = files
    slices = load_adaptation_slices(shards, prompts, DOMAINS[:2], with_std=True)
    assert slices.mean[:, 0, 0, 0].tolist() == [0, 2, 10, 12]
    words = [[texts[row] for row in rows] for rows in slices.embeddings[slices.prompts, 0, 0].astype(int)]
    # Columns: whole, rim (in no slice), oedema.
    assert words == [
        ["whole a0", "whole a0", "oedema a"],
        ["whole a2", "whole a2", "whole a2"],
        ["whole b0", "whole b0", "whole b0"],
        ["whole b2", "whole b2", "oedema b"],
    ]


def test_a_domain_without_slices_gives_an_empty_set(files):
    shards, prompts, _ = files
    assert len(load_training_slices(shards, prompts, "rim", DOMAINS, with_std=False)) == 0


def test_a_prompt_that_is_missing_is_one_sentence(files):
    shards, prompts, texts = files
    save_table(prompts.embedding_table, pd.DataFrame({"prompt": texts[:2], "row": range(2)}))
    with pytest.raises(InputError, match="embedding_table lacks a prompt of the domain 'whole'"):
        load_training_slices(shards, prompts, "whole", DOMAINS, with_std=False)


def test_latents_and_domain_maps_of_different_kinds_are_refused(files):
    shards, prompts, _ = files
    domains = {"domains": np.full((3, 16, 16), 3, np.uint8)}
    save_arrays(shards[1].domains, domains, replace(HEADER, pixel_size=3.0).metadata)
    with pytest.raises(InputError, match="b-domains and .*b-latents hold slices of different kinds"):
        load_training_slices(shards, prompts, "whole", DOMAINS, with_std=False)


def test_the_digest_sees_every_change(files):
    shards, prompts, _ = files
    slices = load_training_slices(shards, prompts, "whole", DOMAINS, with_std=True)
    digests = {slices.digest()}
    for name in ("mean", "std", "domains", "prompts", "embeddings", "mask"):
        array = getattr(slices, name)
        array.flat[-1] += 1
        digests.add(slices.digest())
    assert len(digests) == 7


def test_latents_do_not_depend_on_the_batch_and_empty_shards_work(base):
    codec = Base.open(base).codec
    images = np.random.default_rng(0).random((5, 3, 32, 32)).astype(np.float16)
    mean, std = encode_slices(codec, images, batch_size=2)
    assert mean.shape == std.shape == (5, 6, 8, 8) and mean.dtype == std.dtype == np.float16
    np.testing.assert_allclose(mean, encode_slices(codec, images, batch_size=5)[0], atol=2e-3)
    assert encode_slices(codec, images[:0])[0].shape == (0, 6, 8, 8)
    with pytest.raises(InputError, match="cohort.slice_size is 30: expected a multiple of 4"):
        encode_slices(codec, np.zeros((1, 3, 30, 30), np.float16))

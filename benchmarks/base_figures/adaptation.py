"""Likeness of real slices and their redrawing from half noise, by the base before and after adaptation to others."""

from dataclasses import fields
from functools import partial

import numpy as np
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from benchmarks.base_figures.bench import CPU, Bench
from benchmarks.base_figures.phantoms import DOMAINS, SEED
from benchmarks.base_figures.pictures import comparison_sheet
from benchmarks.base_figures.real_slices import RealSlices, extract, fit, lay_out
from benchmarks.base_figures.reconstruction import brain_ssim, reconstruct
from benchmarks.base_figures.record import Figure
from mosaicmr.device import choose_training_dtype
from mosaicmr.diffusion.denoiser import Denoiser
from mosaicmr.diffusion.latents import encode_slices
from mosaicmr.diffusion.text import embed_prompts
from mosaicmr.errors import InputError
from mosaicmr.evaluation.intervals import patient_interval
from mosaicmr.partition.domains import WHOLE
from mosaicmr.pretraining.conditions import SIMULATED_CLASSES
from mosaicmr.pretraining.unet_sets import MODALITIES
from mosaicmr.prompts.looks import LookScale
from mosaicmr.prompts.templates import prompt_table
from mosaicmr.simulation.phantom import SCHEME
from mosaicmr.sources.subjects import find_subjects
from mosaicmr.synthesis.generation import Start, keep_brain
from mosaicmr.synthesis.inputs import Layouts
from mosaicmr.training.adaptation import AdaptationSettings, adapt
from mosaicmr.training.training_set import TrainingSlices

HELD_OUT = 2  # subjects; a fold for each would take five minutes apiece
STRENGTH = 0.5
MOST_STEPS = 1000  # more than a CPU takes in the time, which the learning rate follows


def half_noise_ssim_real(bench: Bench) -> Figure:
    """Brain-masked SSIM of held-out real slices to what the base, adapted to the other subjects, redraws of them.

    Domains and the words on looks are fitted on the other subjects, too. Beside it: the same before the adaptation, and
    the autoencoder's own reconstruction, which no redrawing can pass.
    """
    subjects = find_subjects(bench.real, MODALITIES, SCHEME.name).require()
    if len(subjects) <= HELD_OUT:
        raise InputError(f"{bench.real} holds {len(subjects)} subjects: expected more than {HELD_OUT}; add some.")
    pixel_size = bench.amounts.coarse[1]
    held_out, others = extract(bench, subjects[:HELD_OUT]), extract(bench, subjects[HELD_OUT:])
    domains, scale = fit(others, pixel_size)
    layouts = lay_out(held_out, domains, scale)
    training = training_slices(bench, others, lay_out(others, domains, scale), scale)
    before = redraw(bench, bench.denoiser, layouts)
    unet, steps = adapt_unet(bench, training)
    after = redraw(bench, Denoiser(unet, CPU, bench.denoiser.dtype), layouts)
    images, brain = held_out.slices.images.astype(np.float32), held_out.slices.brain
    reconstructed = reconstruct(bench.model.codec, images)
    scores = {
        name: brain_ssim(images, drawn, brain)
        for name, drawn in (("after", after), ("before", before), ("autoencoder", reconstructed))
    }
    patients = held_out.slices.table["patient"].to_numpy()
    value, low, high, count = patient_interval(scores["after"].mean(1), patients, seed=SEED)
    parts = {name: dict(zip(MODALITIES, each.mean(0).tolist(), strict=True)) for name, each in scores.items()}
    for name, each in scores.items():
        parts[name]["mean"] = float(each.mean())
    parts["adaptation"] = {
        "seconds": bench.amounts.adaptation_seconds,
        "steps": steps,
        "slices": len(training),
        "subjects": len(subjects) - HELD_OUT,
    }
    titles, flair = ("original", "redrawn before", "redrawn after"), MODALITIES.index("FLAIR")
    sheet = partial(comparison_sheet, titles, (images, before, after), flair)
    return Figure(value, low, high, len(images), count, parts, {"real_half_noise_flair": sheet})


def redraw(bench: Bench, denoiser: Denoiser, layouts: Layouts) -> np.ndarray:
    """The layouts' sources noised to STRENGTH and denoised, float32 [n, M, H, W], 0 outside the brain."""
    sampler = bench.sampler(layouts.prompts(WHOLE, np.arange(len(layouts))))
    drawn = bench.draw_layouts(sampler, denoiser, layouts, Start(layouts.source, STRENGTH))
    return keep_brain(drawn, layouts.domains).astype(np.float32)


def training_slices(bench: Bench, real: RealSlices, layouts: Layouts, scale: LookScale) -> TrainingSlices:
    """The slices that adapt the base, each with its prompts of the whole slice and of every domain in it."""
    slices, names = real.slices, real.slices.table["slice"]
    table = prompt_table(slices, slices.table, [WHOLE, *DOMAINS], scale)
    prompt_of = table.set_index(["slice", "domain"])["prompt"]
    pairs = zip(names, layouts.domains, strict=True)
    texts = [[prompt_of[name, domain] for domain in asked(layout)] for name, layout in pairs]
    unique = sorted({text for row in texts for text in row})
    embeddings, mask = embed_prompts(bench.model.text_encoder, unique)
    row_of = {text: index for index, text in enumerate(unique, start=1)}
    return TrainingSlices(
        mean=encode_slices(bench.model.codec, slices.images)[0],
        std=None,
        domains=layouts.domains,
        prompts=np.array([[row_of[text] for text in row] for row in texts]),
        embeddings=embeddings.numpy(),
        mask=mask.numpy(),
        tumour_classes=tuple(tumour.value for tumour in SIMULATED_CLASSES),
        healthy=len(DOMAINS) - len(SIMULATED_CLASSES),
    )


def asked(layout: np.ndarray) -> list[str]:
    """The whole slice and every domain, in whose place the whole slice stands where a layout lacks it."""
    present = set(np.unique(layout).tolist())
    return [WHOLE, *(name if number in present else WHOLE for number, name in enumerate(DOMAINS, start=1))]


def adapt_unet(bench: Bench, slices: TrainingSlices) -> tuple[UNet2DConditionModel, int]:
    """The base U-Net, adapted for as long as the amounts say and else as by default, and the steps that it took."""
    named = {field.name for field in fields(AdaptationSettings)}
    config = {key: value for key, value in bench.config["adaptation"].items() if key in named}
    settings = AdaptationSettings(**config | {"seed": SEED, "steps": MOST_STEPS})
    dtype = choose_training_dtype(bench.config["base"]["precision"], CPU)
    unet, schedule = bench.model.load_unet(), bench.model.schedule
    limit = bench.amounts.adaptation_seconds
    adapted, history = adapt(unet, schedule, slices, settings, dtype=dtype, limit=limit)
    return adapted, len(history)

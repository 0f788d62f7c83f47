"""Samples of the base from noise: likeness to phantoms, tumours in the right place, and seconds."""

import math
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from benchmarks.base_figures.bench import CPU, Bench, in_brain, lay_out
from benchmarks.base_figures.phantoms import (
    SEED,
    Phantoms,
    measure_facts,
    partition,
    simulate_random_contrast,
    write_prompts,
)
from benchmarks.base_figures.pictures import sample_sheet
from benchmarks.base_figures.reconstruction import reconstruct
from benchmarks.base_figures.record import Figure
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.evaluation.features import efficientnet_features, load_efficientnet
from mosaicmr.evaluation.frechet import frechet_distance, mean_frechet
from mosaicmr.evaluation.intervals import jackknife_interval, patient_interval
from mosaicmr.io import save_arrays
from mosaicmr.pretraining.conditions import SIMULATED_CLASSES
from mosaicmr.pretraining.unet_sets import MODALITIES
from mosaicmr.segmentation.arms import SegmenterSettings, Sets, Task, train_segmenter
from mosaicmr.segmentation.references import COLUMNS
from mosaicmr.segmentation.scores import dice
from mosaicmr.segmentation.segmenter import build_segmenter, segment
from mosaicmr.simulation.phantom import SCHEME
from mosaicmr.synthesis.generation import Start

WHOLE_TUMOUR, MEAN = "whole tumour", "mean"
TIMED_STEPS = 20  # of denoising, as the target for the seconds has them


def frechet_ratio(bench: Bench) -> Figure:
    """Fréchet distance of samples to phantoms, as a multiple of that between phantoms of disjoint patients.

    Samples are drawn for the layouts and prompts of the first phantoms and compared with the second, as the first
    phantoms' own slices are for the floor: the same numbers of slices on all sides, because the distance depends on it.
    Beside it, the distances of the first phantoms' slices that went through the autoencoder, and of simulated slices of
    random contrast, which pretraining has beside phantoms.
    """
    count = min(len(bench.first), len(bench.second))
    first, second, samples = bench.first.keep(count), bench.second.keep(count), bench.samples[:count]
    network = load_efficientnet()
    sets = {
        "distance": in_brain(samples, first),
        "floor": first.images,
        "autoencoded": in_brain(reconstruct(bench.model.codec, first.images), first),
        "random_contrast": simulate_random_contrast(bench.anatomy, count, bench.amounts.coarse),
    }
    features = {name: efficientnet_features(network, images) for name, images in sets.items()}
    drawn, own, others = features["distance"], features["floor"], efficientnet_features(network, second.images)

    def ratio(ours: np.ndarray, theirs: np.ndarray) -> float:
        return mean_frechet(drawn[ours], others[theirs]) / mean_frechet(own[ours], others[theirs])

    value, low, high, _ = jackknife_interval(ratio, first.patients, second.patients, seed=SEED, minimum=0.0)
    parts = {name: {"mean": mean_frechet(seen, others)} for name, seen in features.items()}
    for index, modality in enumerate(MODALITIES):
        for name, seen in features.items():
            parts[name][modality] = frechet_distance(seen[:, index], others[:, index])
    # As drawn, before synthesis sets it to 0: a base whose black is grey would otherwise go unseen.
    parts["background"] = float(samples.astype(np.float32).mean(1)[first.brain == 0].mean())
    parts["sampling"] = {name: bench.config["synthesis"][name] for name in ("steps", "guidance_scale")}
    parts["patients_compared_with"] = len(np.unique(second.patients))
    sheets = {"samples_coarse": partial(coarse_sheet, bench), "samples_fine": partial(fine_sheet, bench)}
    return Figure(value, low, high, len(first), len(np.unique(first.patients)), parts, sheets)


def coarse_sheet(bench: Bench):
    """Samples at the size of the default configuration."""
    return sample_sheet(bench.first, bench.domains, bench.samples)


def fine_sheet(bench: Bench):
    """Samples at 1 mm: one slice of each of the first patients, drawn for this picture."""
    first = np.unique(bench.fine.patients, return_index=True)[1][:4]
    phantoms = bench.fine.pick(first)
    domains = partition(phantoms)
    drawn = bench.draw(phantoms, domains, write_prompts(measure_facts(phantoms, bench.scale)))
    return sample_sheet(phantoms, domains, drawn)


def mask_fidelity(bench: Bench) -> Figure:
    """Dice of what a U-Net trained on phantoms finds in samples, divided by its Dice on the phantoms of the layouts.

    The mean over the tumour classes; a patient's slices are taken together, and the interval is over patients.
    """
    first = bench.first
    model = train_on_phantoms(bench, bench.third)
    found = {
        name: segment(model, torch.from_numpy(images), SCHEME.classes)
        for name, images in (("samples", in_brain(bench.samples, first)), ("phantoms", first.images))
    }
    names = np.unique(first.patients)
    scores = {name: np.array([patient_dice(maps, first, each) for each in names]) for name, maps in found.items()}
    both = np.stack([scores["samples"], scores["phantoms"]], 1)
    value, low, high, count = patient_interval(both[:, :, -1], names, ratio_of_means, seed=SEED)
    kinds = [*(tumour.name for tumour in SIMULATED_CLASSES), WHOLE_TUMOUR, MEAN]
    parts = {
        kind: {name: float(table[:, index].mean()) for name, table in scores.items()}
        | {"ratio": ratio_of_means(both[:, :, index])}
        for index, kind in enumerate(kinds)
    }
    parts["segmenter"] = {"slices": len(bench.third), "patients": len(np.unique(bench.third.patients))}
    return Figure(value, low, high, len(first), count, parts)


def ratio_of_means(pairs: np.ndarray) -> float:
    """The mean of the first column [n, 2] over that of the second; NaN where the segmenter finds nothing."""
    sampled, own = pairs.mean(0)
    return float(sampled / own) if own > 0 else float("nan")


def patient_dice(found: np.ndarray, phantoms: Phantoms, patient: str) -> list[float]:
    """Dice of each tumour class, of the whole tumour, and the mean over the classes, on one patient's slices."""
    rows = phantoms.patients == patient
    ours, asked = found[rows], phantoms.labels[rows]
    classes = [dice(ours == tumour.value, asked == tumour.value) for tumour in SIMULATED_CLASSES]
    return [*classes, dice(ours > 0, asked > 0), float(np.mean(classes))]


def train_on_phantoms(bench: Bench, phantoms: Phantoms) -> nn.Module:
    """The project's segmenter, trained on phantoms with the default configuration's settings but for the steps."""
    config = bench.config["evaluation"]["segmenter"]
    channels = tuple(config["channels"])
    settings = SegmenterSettings(
        bench.amounts.segmenter_steps, config["batch_size"], config["learning_rate"], channels, seeds=(SEED,)
    )
    task = Task(SliceHeader(MODALITIES, phantoms.pixel_size, SCHEME.classes), SEED, CPU)
    nothing = pd.DataFrame(columns=COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "phantoms.safetensors")
        save_arrays(file, {"images": phantoms.images.astype(np.float16), "labels": phantoms.labels})
        references = pd.DataFrame({"row": range(len(phantoms)), "patient": phantoms.patients})
        references = references.assign(slice=phantoms.identifiers, image_file=file, label_file=file)[COLUMNS]
        weights, _ = train_segmenter("real+classical", Sets(references, nothing, nothing), settings, task)
    model = build_segmenter(task.header, channels, seed=SEED)
    prefix = f"seed{SEED}."
    model.load_state_dict({name.removeprefix(prefix): torch.from_numpy(array) for name, array in weights.items()})
    return model.eval()


def sampling_seconds(bench: Bench) -> Figure:
    """Median seconds to draw a batch of slices of all modalities and decode them; models loaded, prompts embedded."""
    phantoms = bench.first.keep(bench.amounts.batch)
    prompts = write_prompts(measure_facts(phantoms, bench.scale))
    layouts = lay_out(phantoms, bench.domains[: len(phantoms)], prompts)
    sampler, denoiser = bench.sampler(prompts, TIMED_STEPS), bench.denoiser
    seconds = []
    for _ in range(bench.amounts.repeats):
        start = time.monotonic()
        bench.draw_layouts(sampler, denoiser, layouts, Start())
        seconds.append(time.monotonic() - start)
    parts = {
        "calls": seconds,
        "steps": len(sampler.schedule.timesteps),
        "guidance_scale": sampler.guidance_scale,
        "precision": str(denoiser.dtype).removeprefix("torch."),
        "pixels": phantoms.images.shape[-1],
    }
    patients = len(np.unique(phantoms.patients))
    # Seconds spread over calls, which are among the parts, and not over patients.
    return Figure(float(np.median(seconds)), math.nan, math.nan, len(phantoms), patients, parts)

"""Conditions of the simulated slices in pretraining: domain maps and prompts, made as for a real cohort."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sklearn.cluster import KMeans

from mosaicmr.cohort.labels import ENHANCING, NECROSIS, OEDEMA
from mosaicmr.partition.domains import WHOLE
from mosaicmr.partition.tessellation import TessellationSettings, measure_cells, tessellate
from mosaicmr.prompts.looks import LookScale, measure_regions
from mosaicmr.prompts.templates import SliceFacts, facts_of, write_prompt

SIMULATED_CLASSES = (NECROSIS, OEDEMA, ENHANCING)
MOST_HEALTHY_DOMAINS = 5
FEWER = 0.3  # share of prompts that ask for some of the modalities only
SILENT = 0.1  # share of prompts without a word on how the tumour looks
UNTOLD = 0.1  # share of prompts of slices of random contrast that do not say so
TESSELLATION = TessellationSettings(cells=400, iterations=5, grey_weight=1.0, density_power=1.0, min_fragment_area=12.0)


def partition_simulated(
    images: np.ndarray,
    labels: np.ndarray,
    brain: np.ndarray,
    pixel_size: float,
    generator: np.random.Generator,
    modalities: Sequence[str],
    *,
    healthy_domains: int | None = None,
) -> tuple[np.ndarray, int]:
    """A domain map uint8 [H, W] of one slice, and its number K of healthy domains, drawn from 1 to 5.

    images: float [4, H, W] in [0, 1] of `modalities`; labels, brain: uint8 [H, W]; pixel_size: mm. The reference
    modality is T1, as in a cohort that has it; thresholds come from the slice itself, because each has its own
    contrast. healthy_domains: K, instead of drawing it; fewer where the slice has fewer cells.
    """
    reference = modalities.index("T1")
    grey, healthy = images[reference], (brain > 0) & (labels == 0)
    cells = tessellate(grey, healthy, pixel_size, TESSELLATION, int(generator.integers(2**31)), "simulated")
    table = measure_cells(cells, grey, pixel_size)
    count = healthy_domains or int(generator.integers(1, MOST_HEALTHY_DOMAINS + 1))
    count = min(count, len(table))
    domains = labels.astype(np.uint8).copy()
    if count:
        greys = table["grey"].to_numpy()[:, None]
        fit = KMeans(count, n_init=1, random_state=0).fit(greys, sample_weight=table["area_mm2"])
        rank = np.argsort(np.argsort(fit.cluster_centers_[:, 0]))[fit.labels_]
        lookup = np.zeros(int(cells.max()) + 1, np.uint8)
        lookup[table["cell"].to_numpy()] = len(SIMULATED_CLASSES) + 1 + rank
        domains = np.where(healthy, lookup[cells], domains).astype(np.uint8)
    return domains, max(count, 1)


def draw_prompt(facts: SliceFacts, generator: np.random.Generator, modalities: Sequence[str]) -> tuple[str, np.ndarray]:
    """A prompt for one slice, and which modalities it asks for (bool [M]).

    Three in ten prompts ask for some of the modalities, the others for all. Half ask for the whole slice, the others
    for one domain's texture. A tenth say nothing of how the tumour looks. Where contrast is random, nine in ten say so:
    a prompt without these words then gets contrast as scanners give it, unless it asks for a look that no scanner
    gives.
    """
    present = np.ones(len(modalities), bool)
    if generator.random() < FEWER:
        present = generator.random(len(modalities)) < 0.5
        present[generator.integers(len(modalities))] = True
    if generator.random() < SILENT:
        facts = replace(facts, looks=())
    if generator.random() < UNTOLD:
        facts = replace(facts, random_contrast=False)
    domain = WHOLE
    if generator.random() < 0.5:
        names = [tumour.name for tumour in SIMULATED_CLASSES if tumour.value in facts.classes]
        names += [f"healthy{rank}" for rank in range(1, 4)]
        domain = names[generator.integers(len(names))]
    asked = [modality for modality, here in zip(modalities, present, strict=True) if here]
    return write_prompt(domain, facts, asked), present


def condition_shard(
    shard: dict[str, np.ndarray],
    pixel_size: float,
    random_contrast: bool,
    scale: LookScale,
    generator: np.random.Generator,
    modalities: Sequence[str],
    draws: int,
) -> tuple[dict[str, np.ndarray], list[list[str]]]:
    """Domain maps and prompts of one shard of a bank.

    random_contrast: whether prompts say that contrast is random. Returns arrays `domains` uint8 [n, H, W], `healthy`
    uint8 [n] (K of each slice), `present` uint8 [n, draws, M], and the prompts, `draws` for each slice.
    """
    domains, healthy, present, prompts = [], [], [], []
    for images, labels, brain, height in zip(
        shard["images"], shard["labels"], shard["brain"], shard["height"], strict=True
    ):
        domain_map, count = partition_simulated(images / 255.0, labels, brain, pixel_size, generator, modalities)
        looks = scale.describe(measure_regions(images / 255.0, labels, modalities, pixel_size))
        facts = replace(facts_of(labels, brain, float(height), pixel_size, looks), random_contrast=random_contrast)
        drawn = [draw_prompt(facts, generator, modalities) for _ in range(draws)]
        domains.append(domain_map)
        healthy.append(count)
        prompts.append([prompt for prompt, _ in drawn])
        present.append(np.stack([asked for _, asked in drawn]))
    arrays = {
        "domains": np.stack(domains),
        "healthy": np.array(healthy, np.uint8),
        "present": np.stack(present).astype(np.uint8),
    }
    return arrays, prompts

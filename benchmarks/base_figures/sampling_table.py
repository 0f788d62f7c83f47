"""The effect of denoising steps and guidance on the samples of a base, on patients of no other figure."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.base_figures.amounts import Amounts
from benchmarks.base_figures.bench import Bench, in_brain, lay_out
from benchmarks.base_figures.phantoms import measure_facts, measure_looks, write_prompts
from benchmarks.base_figures.prompting import compare, hits
from mosaicmr.evaluation.features import efficientnet_features, load_efficientnet
from mosaicmr.evaluation.frechet import mean_frechet
from mosaicmr.synthesis.generation import Start


def sampling_table(base: Path, amounts: Amounts, settings: Iterable[tuple[int, float]]) -> Iterator[str]:
    """The lines of a Markdown table, one for each pair of steps and guidance, each as soon as it is measured."""
    bench = Bench(base, None, amounts, patients="tuning ")
    count = min(len(bench.first), len(bench.second))
    phantoms, network = bench.first.keep(count), load_efficientnet()
    own, others = (efficientnet_features(network, each.keep(count).images) for each in (bench.first, bench.second))
    floor = mean_frechet(own, others)
    facts = measure_facts(phantoms, bench.scale)
    prompts = write_prompts(facts)
    layouts = lay_out(phantoms, bench.domains[:count], prompts)
    yield f"{count} slices of {amounts.patients} patients; Fréchet distance of their own slices: {floor:.1f}\n"
    yield "| steps | guidance | Fréchet ratio | as bright as asked | seconds a slice |\n|---|---|---|---|---|"
    for steps, guidance in settings:
        start = time.monotonic()
        drawn = bench.draw_layouts(bench.sampler(prompts, steps, guidance), bench.denoiser, layouts, Start())
        seconds = (time.monotonic() - start) / count
        images = in_brain(drawn, phantoms)
        ratio = mean_frechet(efficientnet_features(network, images), others) / floor
        looks = measure_looks(phantoms, images, bench.scale)
        right = hits(compare([one.looks for one in facts], looks, phantoms.patients)).mean()
        yield f"| {steps} | {guidance:g} | {ratio:.2f} | {right:.2f} | {seconds:.2f} |"

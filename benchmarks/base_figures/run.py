"""Measuring the figures that are asked for, one after the other."""

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.base_figures.adaptation import half_noise_ssim_real
from benchmarks.base_figures.amounts import OF_REAL_SUBJECTS, TARGETS, Amounts
from benchmarks.base_figures.bench import Bench
from benchmarks.base_figures.prompting import prompt_accuracy
from benchmarks.base_figures.reconstruction import autoencoder_ssim_phantoms, autoencoder_ssim_real
from benchmarks.base_figures.record import Figure, Record, describe, describe_machine
from benchmarks.base_figures.samples import frechet_ratio, mask_fidelity, sampling_seconds
from mosaicmr.diffusion.base_kind import is_bundled
from mosaicmr.errors import InputError
from mosaicmr.figures.style import save_figure

logger = logging.getLogger("mosaicmr")

MEASURES: dict[str, Callable[[Bench], Figure]] = {
    measure.__name__: measure
    for measure in (
        autoencoder_ssim_phantoms,
        autoencoder_ssim_real,
        frechet_ratio,
        mask_fidelity,
        prompt_accuracy,
        half_noise_ssim_real,
        sampling_seconds,
    )
}


@dataclass(frozen=True)
class Request:
    """Requested measurements. names: of figures, none for all; pictures: folder for contact sheets, None for none."""

    base: Path
    real: Path | None
    amounts: Amounts
    names: tuple[str, ...]
    threads: int
    out: Path
    pictures: Path | None


def run(request: Request) -> str:
    """Measure, write each figure into the JSON file as soon as it is there, and return all of that file as a table.

    Raises InputError for a base that is not bundled, a missing folder of real subjects, or a file of other
    figures.
    """
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logger.setLevel(logging.INFO)
    torch.set_num_threads(request.threads)
    if not is_bundled(request.base):
        raise InputError(f"{request.base} is a Stable Diffusion model: measure a bundled base, with a mosaicmr.json.")
    names = choose(request)
    record = Record(request.out, request.base, request.amounts, anew=not request.names)
    bench = Bench(request.base, request.real, request.amounts)
    for name in names:
        logger.info("measuring %s", name)
        machine, start = describe_machine(request.threads), time.monotonic()
        figure = MEASURES[name](bench)
        seconds = time.monotonic() - start
        record.add(name, describe(figure, TARGETS[name], seconds, request.amounts.quick) | {"measured": machine})
        if request.pictures is not None:
            for sheet, draw in figure.pictures.items():
                save_figure(draw(), None, request.pictures / f"{sheet}.png")
    return record.table()


def choose(request: Request) -> list[str]:
    """The figures to measure, in their usual order.

    Without a folder of real subjects theirs are left out, or refused if they were asked for by name.
    """
    if request.real is None and (lacking := [name for name in OF_REAL_SUBJECTS if name in request.names]):
        raise InputError(f"{lacking[0]} needs real subjects: name their folder by --real.")
    possible = [name for name in TARGETS if request.real is not None or name not in OF_REAL_SUBJECTS]
    left_out = sorted(set(TARGETS) - set(possible))
    if left_out and not request.names:
        logger.warning("left out for want of --real: %s", ", ".join(left_out))
    return [name for name in possible if not request.names or name in request.names]

"""The base that is measured with the phantoms it is measured on, each made when the first figure needs it."""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml

from benchmarks.base_figures.amounts import Amounts
from benchmarks.base_figures.phantoms import DOMAINS, SEED, Phantoms, measure_facts, partition, simulate, write_prompts
from mosaicmr.cohort.extraction import SliceSettings
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.denoiser import Denoiser
from mosaicmr.partition.domains import WHOLE
from mosaicmr.pretraining.unet_sets import MODALITIES
from mosaicmr.prompts.looks import LookScale
from mosaicmr.simulation.anatomy import Anatomy, load_anatomy
from mosaicmr.simulation.phantom import SCHEME
from mosaicmr.synthesis.generation import Sampler, Start, draw_slices, keep_brain
from mosaicmr.synthesis.inputs import Embeddings, Layouts

CONFIG = Path(__file__).resolve().parent.parent.parent / "config" / "config.yaml"
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Bench:
    """The models and slices behind every figure.

    base: folder of the base; real: folder of real subjects, or None. patients: names the simulated patients; those of
    another name are others.
    """

    base: Path
    real: Path | None
    amounts: Amounts
    patients: str = ""

    @cached_property
    def config(self) -> dict[str, Any]:
        """The default configuration, whose sampling, partition and segmenter are used."""
        return yaml.safe_load(CONFIG.read_text(encoding="utf-8"))

    @cached_property
    def anatomy(self) -> Anatomy:
        """The atlas that phantoms are made of."""
        return load_anatomy()

    @cached_property
    def model(self) -> Base:
        """The base, opened on the CPU."""
        return Base.open(self.base, MODALITIES, CPU, self.config["base"]["precision"])

    @cached_property
    def denoiser(self) -> Denoiser:
        """The base's U-Net without an expert."""
        return Denoiser.load(self.model)

    @cached_property
    def scale(self) -> LookScale:
        """The meaning of words on a tumour's look in pretraining."""
        return LookScale.from_records(self.model.facts["looks"])

    @cached_property
    def first(self) -> Phantoms:
        """The coarse phantoms whose layouts are drawn."""
        return self._coarse("first")

    @cached_property
    def second(self) -> Phantoms:
        """The coarse phantoms with which the first phantoms, and the slices drawn for them, are compared."""
        return self._coarse("second")

    @cached_property
    def third(self) -> Phantoms:
        """The coarse phantoms that the segmenter is trained on."""
        return self._coarse("third")

    @cached_property
    def fine(self) -> Phantoms:
        """The fine phantoms that the autoencoder is measured on."""
        return simulate(self.anatomy, "fine", self.amounts.fine_patients, self.cutting(self.amounts.fine))

    def _coarse(self, name: str) -> Phantoms:
        return simulate(self.anatomy, self.patients + name, self.amounts.patients, self.cutting(self.amounts.coarse))

    def cutting(self, view: tuple[int, float], most: int | None = None) -> SliceSettings:
        """How slices are cut: as by default, but of a view (side in pixels, their size in mm), at most so many."""
        size, pixel_size = view
        settings = SliceSettings.from_config(self.config["cohort"])
        most = most or self.amounts.slices
        return replace(settings, slice_size=size, pixel_size=pixel_size, max_slices_per_subject=most)

    @cached_property
    def domains(self) -> np.ndarray:
        """The layouts of the first phantoms, uint8 [n, H, W]."""
        return partition(self.first)

    @cached_property
    def samples(self) -> np.ndarray:
        """Samples of the base for the layouts and prompts of the first phantoms, float16 [n, 4, H, W] in [0, 1]; the
        background as it was drawn."""
        prompts = write_prompts(measure_facts(self.first, self.scale))
        return self.draw(self.first, self.domains, prompts)

    def draw(self, phantoms: Phantoms, domains: np.ndarray, prompts: list[str]) -> np.ndarray:
        """Slices float16 [n, 4, H, W] in [0, 1] drawn from noise, which depends on the phantoms' names alone."""
        layouts = lay_out(phantoms, domains, prompts)
        return self.draw_layouts(self.sampler(prompts), self.denoiser, layouts, Start())

    def sampler(self, prompts: list[str], steps: int | None = None, guidance: float | None = None) -> Sampler:
        """The base's sampler with the embeddings of some prompts; steps and guidance by default the configuration's."""
        embeddings = Embeddings.embed(self.model.text_encoder, sorted(set(prompts)))
        settings = self.config["synthesis"] | {"share_noise": True}
        if steps is not None:
            settings["steps"] = steps
        if guidance is not None:
            settings["guidance_scale"] = guidance
        return Sampler.of(self.model, embeddings, settings, SEED)

    @staticmethod
    def draw_layouts(sampler: Sampler, denoiser: Denoiser, layouts: Layouts, start: Start) -> np.ndarray:
        """The slices of layouts from noise or a source, float16 [n, M, H, W]; the background as it is drawn."""
        predictor_of = partial(sampler.predictor, denoiser, WHOLE, layouts)
        return draw_slices(sampler, layouts, np.arange(len(layouts)), predictor_of, start, sampler.noise_label(WHOLE))


def lay_out(phantoms: Phantoms, domains: np.ndarray, prompts: list[str]) -> Layouts:
    """Phantoms' domain maps and prompts as synthesis reads them."""
    table = pd.DataFrame({"slice": phantoms.identifiers, f"prompt_{WHOLE}": prompts})
    header = SliceHeader(MODALITIES, phantoms.pixel_size, SCHEME.classes, tuple(DOMAINS))
    return Layouts(header, table, {"domains": domains, "source": phantoms.images.astype(np.float16)})


def in_brain(images: np.ndarray, phantoms: Phantoms) -> np.ndarray:
    """Drawn slices as synthesis hands them on, float32 [n, 4, H, W]: 0 outside the layout's brain."""
    return keep_brain(images, phantoms.brain).astype(np.float32)

"""Real subjects' slices with layouts and prompts, fitted on some of the subjects as a run fits them in training."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from benchmarks.base_figures.bench import Bench
from benchmarks.base_figures.phantoms import DOMAINS, HEALTHY_DOMAINS, SEED
from mosaicmr.cohort.extraction import extract_shard
from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.cohort.subject import Subject
from mosaicmr.partition.domains import WHOLE, Domain, choose_reference, partition_slice
from mosaicmr.partition.fitting import fit_domains
from mosaicmr.partition.tessellation import TessellationSettings, measure_cells, relative_grey, tessellate_slices
from mosaicmr.pretraining.unet_sets import MODALITIES
from mosaicmr.prompts.looks import LookScale, measure_regions
from mosaicmr.prompts.templates import prompt_table
from mosaicmr.simulation.phantom import SCHEME
from mosaicmr.synthesis.inputs import Layouts


@dataclass(frozen=True)
class RealSlices:
    """Slices with their cells: uint16 [n, H, W], and a table of slice, subject, cell, grey, relative_grey, area_mm2."""

    slices: SliceSet
    cells: np.ndarray
    cell_table: pd.DataFrame


def extract(bench: Bench, subjects: Sequence[Subject]) -> RealSlices:
    """The slices of some subjects at the size of coarse phantoms, tessellated as by default."""
    settings = bench.cutting(bench.amounts.coarse, bench.amounts.real_slices)
    slices = extract_shard(subjects, SCHEME, MODALITIES, settings)
    partition = bench.config["partition"]
    tessellation = TessellationSettings(**{name: partition[name] for name in TessellationSettings.__dataclass_fields__})
    grey = slices.images[:, MODALITIES.index(choose_reference(MODALITIES, partition["reference_modality"]))]
    names, size = list(slices.table["slice"]), settings.pixel_size
    cells = tessellate_slices(grey, slices.brain, slices.labels, size, tessellation, SEED, names)
    tables = [
        measure_cells(cells[row], grey[row], size).assign(slice=name, subject=subject)
        for row, (name, subject) in enumerate(zip(names, slices.table["subject"], strict=True))
    ]
    table = pd.concat(tables, ignore_index=True)
    return RealSlices(slices, cells, table.assign(relative_grey=relative_grey(table)))


def fit(training: RealSlices, pixel_size: float) -> tuple[list[Domain], LookScale]:
    """Domains and what the words on looks mean, fitted on the training subjects."""
    pairs = zip(training.slices.images, training.slices.labels, strict=True)
    regions = [measure_regions(images, labels, MODALITIES, pixel_size) for images, labels in pairs]
    return fit_domains(training.cell_table, SCHEME.classes, HEALTHY_DOMAINS, SEED), LookScale.fit(regions)


def lay_out(real: RealSlices, domains: Sequence[Domain], scale: LookScale) -> Layouts:
    """The slices' own layouts and prompts of whole slices, as synthesis reads them; the source is the slice itself."""
    table, slices = real.slices.table, real.slices
    cells = dict(list(real.cell_table.groupby("slice")))
    maps = [
        partition_slice(slices.labels[row], real.cells[row], cells[name], domains)
        for row, name in enumerate(table["slice"])
    ]
    prompts = prompt_table(slices, table, [WHOLE], scale)
    named = pd.DataFrame({"slice": table["slice"], f"prompt_{WHOLE}": prompts["prompt"]})
    header = replace(slices.header, domains=tuple(DOMAINS))
    return Layouts(header, named, {"domains": np.stack(maps), "source": slices.images})

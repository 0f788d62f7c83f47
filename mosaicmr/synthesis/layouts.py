"""New layouts, the label maps of synthetic slices, drawn from training patients only.

A layout is a training patient's slice whose tumour may be another training patient's, which may be mirrored, and which
is smoothly deformed. Its domain map moves along, and so do its pixels: the *source*, from which a slice can be
synthesised at a strength below 1, fits the layout everywhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mosaicmr.cohort.selection import TRAINING, select_splits
from mosaicmr.cohort.slice_set import SliceHeader, SliceSet
from mosaicmr.errors import InputError
from mosaicmr.partition.domains import HEALTHY, TUMOUR, WHOLE, Domain
from mosaicmr.prompts.looks import LookScale, measure_regions, tabulate_looks
from mosaicmr.prompts.templates import facts_of, write_prompt
from mosaicmr.seeds import numpy_generator
from mosaicmr.synthesis.annotated_slice import AnnotatedSlice, mirror
from mosaicmr.synthesis.deformation import deform, random_coordinates
from mosaicmr.synthesis.transplant import transplant_tumour

MAX_HEIGHT_DIFFERENCE = 0.08  # between donor and recipient, of the brain's height: about 12 mm
MAX_DONORS = 4  # tried before a layout keeps its own tumour


@dataclass(frozen=True)
class LayoutSettings:
    """The keys of the same names in the config's `layouts`: two probabilities, and a standard deviation in mm."""

    mirror: float
    transplant: float
    deformation: float


@dataclass(frozen=True)
class Plan:
    """The slices, by name, that a layout is made of. donors: in the order to try them, empty for its own tumour."""

    name: str
    source: str
    donors: tuple[str, ...]
    mirrored: bool


@dataclass(frozen=True)
class Layout:
    """A drawn layout. donor: the slice that gave its tumour, None for its own."""

    plan: Plan
    annotated: AnnotatedSlice
    donor: str | None


def training_slices(slices: pd.DataFrame, subjects: pd.DataFrame) -> pd.DataFrame:
    """Rows of `slices` (column subject) of training patients by `subjects` (columns subject, split).

    Raises InputError if there are none.
    """
    found = select_splits(slices, subjects, TRAINING).reset_index(drop=True)
    if found.empty:
        raise InputError(
            f"None of the {(subjects['split'] == TRAINING).sum()} training subjects has a slice to draw layouts from "
            "(expected one): lower cohort.min_tumour_area or raise cohort.split.train."
        )
    return found


def plan_layouts(slices: pd.DataFrame, numbers: Iterable[int], settings: LayoutSettings, seed: int) -> list[Plan]:
    """Choose the slices of layouts; each layout depends on its number and not on the others drawn with it.

    slices: columns slice, patient, height of the training patients. numbers: of the layouts, from 1. In every round
    over the patients each gives one slice, so that patients with many slices are not drawn more often, and no slice
    of a patient is drawn again before all of them were.
    """
    patients = np.sort(slices["patient"].unique())
    plans = []
    for number in numbers:
        name = f"s{number:05d}"
        turn, place = divmod(number - 1, len(patients))
        patient = numpy_generator(seed, "layouts", "patients", turn).permutation(patients)[place]
        own = slices[slices["patient"] == patient]
        again, index = divmod(turn, len(own))
        order = numpy_generator(seed, "layouts", "slices", str(patient), again).permutation(len(own))
        source = own.iloc[order[index]]
        generator = numpy_generator(seed, "layouts", name)
        transplant, mirrored = generator.random(2) < (settings.transplant, settings.mirror)
        donors = _choose_donors(slices, source, generator) if transplant else ()
        plans.append(Plan(name, str(source["slice"]), donors, bool(mirrored)))
    return plans


def _choose_donors(slices: pd.DataFrame, source: pd.Series, generator: np.random.Generator) -> tuple[str, ...]:
    near = (slices["height"] - source["height"]).abs() <= MAX_HEIGHT_DIFFERENCE
    candidates = slices.loc[near & (slices["patient"] != source["patient"]), "slice"].to_numpy()
    return tuple(str(name) for name in generator.permutation(candidates)[:MAX_DONORS])


def read_slices(plans: Sequence[Plan], slices: pd.DataFrame, shards: Sequence[SliceSet]) -> dict[str, AnnotatedSlice]:
    """Read the slices that the plans name, one shard at a time.

    slices: columns slice, row (in its shard), shard (its index in `shards`, which have domain maps).
    """
    wanted = {name for plan in plans for name in (plan.source, *plan.donors)}
    found = {}
    for index, rows in slices[slices["slice"].isin(wanted)].groupby("shard"):
        shard = shards[index]
        for name, row in zip(rows["slice"], rows["row"], strict=True):
            images = shard.images[row].astype(np.float32)
            found[name] = AnnotatedSlice(images, shard.labels[row], shard.brain[row], shard.domains[row].copy())
    return found


def draw_layout(
    plan: Plan,
    slices: Mapping[str, AnnotatedSlice],
    domains: Sequence[Domain],
    reference_modality: str,
    pixel_size: float,
    settings: LayoutSettings,
    seed: int,
) -> Layout:
    """Carry out a plan: transplant, mirror, deform. Where no donor's tumour finds a place, the slice keeps its own."""
    generator = numpy_generator(seed, "layouts", plan.name, "anatomy")
    annotated, donor = slices[plan.source], None
    domain_of_class = {domain.tumour_class: domain.id for domain in domains if domain.kind == TUMOUR}
    fluid = fluid_domain(domains, reference_modality)
    for name in plan.donors:
        changed = transplant_tumour(annotated, slices[name], domain_of_class, fluid, pixel_size, generator)
        if changed is not None:
            annotated, donor = changed, name
            break
    if plan.mirrored:
        annotated = mirror(annotated)
    if settings.deformation > 0:
        coordinates = random_coordinates(annotated.brain.shape, pixel_size, settings.deformation, generator)
        annotated = deform(annotated, coordinates)
    return Layout(plan, annotated, donor)


def fluid_domain(domains: Sequence[Domain], reference_modality: str) -> int | None:
    """The healthy domain of cerebrospinal fluid: the darkest, or in T2 the brightest; with fewer than three there is
    none."""
    healthy = [domain.id for domain in domains if domain.kind == HEALTHY]
    if len(healthy) < 3:
        return None
    return healthy[-1] if reference_modality == "T2" else healthy[0]


def tabulate_layouts(
    layouts: Sequence[Layout],
    slices: pd.DataFrame,
    domains: Sequence[Domain],
    header: SliceHeader,
    scale: LookScale,
) -> pd.DataFrame:
    """One row a layout: its sources, its areas of tumour in mm², and its prompt for every domain.

    Prompts ask for the look that the tumour has in the source, by the words of `scale`.
    slices: columns slice, patient, height. header: of the slices. Returns columns slice, patient (of the source),
    source_slice, donor_slice, donor_patient (missing without a transplant), row, mirrored, height, area_<class>_mm2,
    brightness_<class>_<modality> and texture_<class>_<modality> (the asked words, missing where none is asked) and
    prompt_<domain> (with prompt_whole).
    """
    known = slices.set_index("slice")
    classes, rows = header.classes, []
    for number, layout in enumerate(layouts):
        source, annotated = known.loc[layout.plan.source], layout.annotated
        height = float(source["height"])
        looks = scale.describe(
            measure_regions(annotated.images, annotated.labels, header.modalities, header.pixel_size)
        )
        facts = facts_of(annotated.labels, annotated.brain, height, header.pixel_size, looks)
        row = {
            "slice": layout.plan.name,
            "patient": source["patient"],
            "source_slice": layout.plan.source,
            "donor_slice": layout.donor,
            "donor_patient": known.loc[layout.donor, "patient"] if layout.donor else None,
            "row": number,
            "mirrored": layout.plan.mirrored,
            "height": height,
        }
        for tumour in classes:
            area = np.count_nonzero(annotated.labels == tumour.value) * header.pixel_size**2
            row[f"area_{tumour.name}_mm2"] = float(area)
        row |= tabulate_looks(facts.looks, classes, header.modalities)
        for name in (*(domain.name for domain in domains), WHOLE):
            row[f"prompt_{name}"] = write_prompt(name, facts, header.modalities, classes)
        rows.append(row)
    # An explicit type keeps the columns text where no layout of a batch has a donor, or a look.
    text = ("donor_slice", "donor_patient", *tabulate_looks((), classes, header.modalities))
    return pd.DataFrame(rows).astype(dict.fromkeys(text, "string"))

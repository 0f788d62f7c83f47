"""The same layout under prompts that differ in one tumour class's brightness, to isolate the effect of the words."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from mosaicmr.cohort.labels import TumourClass
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.partition.domains import WHOLE
from mosaicmr.prompts.looks import (
    BRIGHTNESS,
    SHADES,
    Look,
    LookScale,
    measure_regions,
    read_looks,
)
from mosaicmr.prompts.templates import facts_of, write_prompt
from mosaicmr.synthesis.inputs import Layouts

ASKED = ["tumour_class", BRIGHTNESS, "prompt"]
MEASURED = [*ASKED, "row", "modality", "lower", "upper", "mean", "measured"]


def choose_layout(table: pd.DataFrame, header: SliceHeader) -> int | None:
    """The position of the layout whose prompt asks for the looks of the most tumour classes.

    Among several, the layout with the largest smallest class; among equals, the first. table: of layouts, all
    batches; header: theirs. Returns None if no prompt asks for a look: a look needs three training slices with at least
    20 mm² of the class.
    """
    places = [_asked_area(row, header) for row in table.to_dict("records")]
    best = max(range(len(places)), key=places.__getitem__)
    return best if places[best][0] else None


def _asked_area(row: dict, header: SliceHeader) -> tuple[int, float]:
    """The number of classes that the prompt of a layout describes, and the area of the smallest in mm²."""
    looks = read_looks(row, header.classes, header.modalities)
    areas = [row[f"area_{tumour.name}_mm2"] for tumour in asked_classes(looks, header)]
    return len(areas), min(areas, default=0.0)


def asked_classes(looks: Sequence[Look], header: SliceHeader) -> list[TumourClass]:
    """The tumour classes that have a look, by rising value."""
    return [tumour for tumour in header.classes if any(look.tumour_class == tumour.value for look in looks)]


def sweep_prompts(row: pd.Series, labels: np.ndarray, brain: np.ndarray, header: SliceHeader) -> pd.DataFrame:
    """The prompts of a layout for the whole slice with each described class dark, intermediate and bright in turn.

    row: of the table of layouts. labels, brain: uint8 [H, W]. Everything else, the texture included, stays as in the
    layout's own prompt, which is among these where it asks for the same brightness in all modalities.
    Returns columns tumour_class (name), brightness (word) and prompt, in the order of the classes and words.
    """
    looks = read_looks(row, header.classes, header.modalities)
    facts = facts_of(labels, brain, row["height"], header.pixel_size, looks)
    rows = []
    for tumour in asked_classes(looks, header):
        for brightness, word in enumerate(SHADES):
            changed = [
                replace(look, brightness=brightness) if look.tumour_class == tumour.value else look for look in looks
            ]
            prompt = write_prompt(WHOLE, replace(facts, looks=tuple(changed)), header.modalities, header.classes)
            rows.append((tumour.name, word, prompt))
    return pd.DataFrame(rows, columns=ASKED)


def repeat_layout(layouts: Layouts, row: int, prompts: Sequence[str]) -> Layouts:
    """One layout once for each prompt of the whole slice: the same name, and so the same noise."""
    repeated = layouts.keep(np.full(len(prompts), row))
    return replace(repeated, table=repeated.table.assign(**{f"prompt_{WHOLE}": list(prompts)}))


def measure_sweep(
    images: np.ndarray,
    labels: np.ndarray,
    prompts: pd.DataFrame,
    scale: LookScale,
    header: SliceHeader,
) -> pd.DataFrame:
    """Measure the brightness of each prompt's class in the drawn slices, in each modality.

    images: [K, M, H, W], one for each row of `prompts` (see `sweep_prompts`); labels: uint8 [H, W], of all of them.
    Returns the columns of `prompts` and row (in `images`), modality, lower and upper (bounds of the thirds), mean (of
    the class, in normalised intensity) and measured (its word).
    """
    values = {tumour.name: tumour.value for tumour in header.classes}
    rows = []
    for row, asked in enumerate(prompts.to_dict("records")):
        regions = measure_regions(images[row], labels, header.modalities, header.pixel_size)
        regions = regions[regions["tumour_class"] == values[asked["tumour_class"]]]
        means = regions.set_index("modality")["mean"]
        for look in scale.describe(regions):
            lower, upper, _ = scale.bounds[look.tumour_class, look.modality]
            found = {
                "lower": lower,
                "upper": upper,
                "mean": means[look.modality],
                "measured": SHADES[look.brightness],
            }
            rows.append(asked | {"row": row, "modality": look.modality} | found)
    return pd.DataFrame(rows, columns=MEASURED)

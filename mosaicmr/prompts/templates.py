"""Text prompts from facts measured on a slice: templates, no free text and no identifier.

A prompt names the modalities, the domain, the size of a pixel, the place of the slice in the head, the size, place and
parts of the tumour, and the looks of the parts that the expert draws. The same templates serve the
pretraining of the bundled base model, the fine-tuning of the experts and the synthesis, so a phrase means the same in
all three.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mosaicmr.cohort.labels import TUMOUR_CLASSES, TumourClass
from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.errors import InputError
from mosaicmr.partition.domains import HEALTHY_NAME, WHOLE
from mosaicmr.prompts.looks import SHADES, TEXTURES, Look, LookScale, measure_regions

# Upper bounds of `height` (0 = lowest, 1 = highest brain slice). The brain reaches from about z = -70 mm to +80 mm in
# MNI space, so the bounds are at z = -30, -10, 12, 30 and 50 mm.
LANDMARKS = (
    (0.27, "posterior fossa"),
    (0.40, "midbrain"),
    (0.55, "basal ganglia"),
    (0.67, "lateral ventricles"),
    (0.80, "centrum semiovale"),
    (1.00, "vertex"),
)
SMALL_TUMOUR, LARGE_TUMOUR = 400.0, 1500.0  # mm² in the slice: discs of 23 and 44 mm diameter
ONE_SIDED = 0.75  # share of the tumour's area that must lie on one side of the midline
CENTRAL_BAND = (0.45, 0.55)  # of the brain's anterior-posterior extent

MODALITY_WORDS = {"FLAIR": "FLAIR", "T1": "T1", "T1ce": "contrast-enhanced T1", "T2": "T2"}


@dataclass(frozen=True)
class SliceFacts:
    """Facts that a prompt may state about a slice.

    height: 0 (lowest) to 1 (highest slice of the brain). pixel_size: mm. tumour_area: mm², 0 without a tumour.
    side: 'right', 'left' (the patient's) or 'midline'; position: 'anterior', 'central' or 'posterior'; both '' without
    a tumour. classes: values of the tumour classes present, rising. looks: theirs in each modality, as far as
    measured. random_contrast: whether tissue shows contrast beyond that of scanners, which only simulated slices
    do.
    """

    height: float
    pixel_size: float
    tumour_area: float
    side: str
    position: str
    classes: tuple[int, ...]
    looks: tuple[Look, ...] = ()
    random_contrast: bool = False


def facts_of(
    labels: np.ndarray, brain: np.ndarray, height: float, pixel_size: float, looks: tuple[Look, ...] = ()
) -> SliceFacts:
    """Measure the facts of a slice on its label map; `looks` come from its images (`LookScale.describe`).

    labels: uint8 [H, W], tumour classes; brain: [H, W], nonzero in the brain; row 0 is anterior and column 0
    is the patient's right. height: 0 to 1. pixel_size: mm. The midline and the anterior-posterior extent are those of
    the brain, so that a brain off the middle of the image makes no difference.
    """
    tumour = labels > 0
    if not tumour.any():
        return SliceFacts(float(height), pixel_size, 0.0, "", "", ())
    rows, columns = np.nonzero(tumour)
    inside_rows, inside_columns = np.nonzero((brain > 0) | tumour)
    midline = (inside_columns.min() + inside_columns.max()) / 2
    # Pixels on the midline count half for each side.
    right = np.mean(columns < midline) + np.mean(columns == midline) / 2
    top, bottom = inside_rows.min(), inside_rows.max()
    depth = (rows.mean() - top) / max(bottom - top, 1)
    return SliceFacts(
        height=float(height),
        pixel_size=pixel_size,
        tumour_area=float(tumour.sum()) * pixel_size**2,
        side="right" if right >= ONE_SIDED else "left" if right <= 1 - ONE_SIDED else "midline",
        position="anterior" if depth < CENTRAL_BAND[0] else "posterior" if depth > CENTRAL_BAND[1] else "central",
        classes=tuple(int(value) for value in np.unique(labels[tumour])),
        looks=looks,
    )


def write_prompt(
    domain: str, facts: SliceFacts, modalities: Sequence[str], classes: Sequence[TumourClass] = TUMOUR_CLASSES
) -> str:
    """Write the prompt of a domain of a slice.

    It gives the look of its class to a tumour class's expert, the looks of all classes to the whole slice's, and none
    to a healthy domain's.
    domain: a tumour class name, 'healthy1' (the darkest in the reference modality) and up, or 'whole'.
    modalities: names as in the config, in any order; the prompt names them in that of MODALITY_WORDS, others last.
    classes: of the cohort, whose words the prompt uses; by default those of the base model, which it was trained with.
    Raises InputError for a domain that is none of these.
    """
    known = list(MODALITY_WORDS)
    modalities = sorted(modalities, key=lambda name: known.index(name) if name in known else len(known))
    phrases = [
        domain_words(domain, classes),
        f"axial brain MRI of {round(facts.pixel_size, 2):g} mm",
        *(MODALITY_WORDS.get(modality, modality) for modality in modalities),
        *(["random contrast"] if facts.random_contrast else []),
        f"level of the {landmark(facts.height)}",
        tumour_words(facts, classes),
    ]
    return ". ".join([", ".join(phrases), *look_words(domain, facts, modalities, classes)])


def prompt_table(shard: SliceSet, slices: pd.DataFrame, domains: Sequence[str], scale: LookScale) -> pd.DataFrame:
    """Write the prompts of all domains of some slices of a shard.

    slices: columns slice, row (in the shard) and height; scale: the meaning of the words on the tumour's look. Returns
    columns slice, domain, prompt.
    """
    rows, modalities, pixel_size = [], shard.header.modalities, shard.header.pixel_size
    classes = shard.header.classes
    for name, row, height in zip(slices["slice"], slices["row"], slices["height"], strict=True):
        labels = shard.labels[row]
        looks = scale.describe(measure_regions(shard.images[row], labels, modalities, pixel_size))
        facts = facts_of(labels, shard.brain[row], height, pixel_size, looks)
        rows += [(name, domain, write_prompt(domain, facts, modalities, classes)) for domain in domains]
    return pd.DataFrame(rows, columns=["slice", "domain", "prompt"])


def domain_words(domain: str, classes: Sequence[TumourClass] = TUMOUR_CLASSES) -> str:
    """The task of an expert in words: the texture of its domain, or the whole slice."""
    if domain == WHOLE:
        return "Whole slice"
    for tumour_class in classes:
        if domain == tumour_class.name:
            return f"Texture of {tumour_class.prompt_words}"
    healthy = HEALTHY_NAME.fullmatch(domain)
    if healthy is None:
        known = ", ".join(tumour_class.name for tumour_class in classes)
        raise InputError(f"The domain '{domain}' has no prompt: expected one of {known}, healthy1 and up, or {WHOLE}.")
    return f"Texture of healthy tissue of grey level {healthy.group(1)}"


def landmark(height: float) -> str:
    """The anatomical landmark near a slice height from 0 to 1."""
    return next((words for bound, words in LANDMARKS if height < bound), LANDMARKS[-1][1])


def tumour_words(facts: SliceFacts, classes: Sequence[TumourClass] = TUMOUR_CLASSES) -> str:
    """Size, place and parts of the tumour: 'large tumour, right posterior: necrotic core, oedema'."""
    if not facts.classes:
        return "no tumour"
    size = "small" if facts.tumour_area < SMALL_TUMOUR else "large" if facts.tumour_area >= LARGE_TUMOUR else "medium"
    parts = ", ".join(tumour_class.prompt_words for tumour_class in classes if tumour_class.value in facts.classes)
    return f"{size} tumour, {facts.side} {facts.position}: {parts}"


def looks_of(
    domain: str, facts: SliceFacts, modalities: Sequence[str], classes: Sequence[TumourClass] = TUMOUR_CLASSES
) -> list[Look]:
    """Looks in the prompt of a domain, in their order: those of all classes for the whole slice, of its own
    class for a tumour class's expert."""
    values = [tumour.value for tumour in classes if domain in (WHOLE, tumour.name)]
    found = {(look.tumour_class, look.modality): look for look in facts.looks}
    kinds = [(value, modality) for value in values for modality in modalities]
    return [found[kind] for kind in kinds if kind in found]


def look_words(domain: str, facts: SliceFacts, modalities: Sequence[str], classes: Sequence[TumourClass]) -> list[str]:
    """The looks of a domain's tumour classes in words: 'oedema: FLAIR bright homogeneous, T2 bright ...'."""
    looks = looks_of(domain, facts, modalities, classes)
    sentences = []
    for tumour_class in classes:
        phrases = [
            f"{MODALITY_WORDS.get(look.modality, look.modality)} {SHADES[look.brightness]} {TEXTURES[look.texture]}"
            for look in looks
            if look.tumour_class == tumour_class.value
        ]
        if phrases:
            sentences.append(f"{tumour_class.prompt_words}: {', '.join(phrases)}")
    return sentences

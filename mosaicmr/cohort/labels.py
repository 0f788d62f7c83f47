"""Tumour classes, and the label values by which each public scheme names them."""

from dataclasses import dataclass

import numpy as np

from mosaicmr.errors import InputError


@dataclass(frozen=True)
class TumourClass:
    """A tumour class of the project: its value in our label maps, its name in files, and its name in words."""

    value: int
    name: str
    words: str


NECROSIS = TumourClass(1, "necrosis", "necrotic core")
OEDEMA = TumourClass(2, "oedema", "oedema")
ENHANCING = TumourClass(3, "enhancing", "enhancing tumour")
CAVITY = TumourClass(4, "cavity", "resection cavity")

TUMOUR_CLASSES = (NECROSIS, OEDEMA, ENHANCING, CAVITY)

# Label values of each scheme, from the challenges' own descriptions (Baid et al. 2021; BraTS 2023 and 2024 GLI).
LABEL_SCHEMES: dict[str, dict[int, TumourClass]] = {
    "brats2021": {1: NECROSIS, 2: OEDEMA, 4: ENHANCING},
    "brats2023": {1: NECROSIS, 2: OEDEMA, 3: ENHANCING},
    "brats2024-gli": {1: NECROSIS, 2: OEDEMA, 3: ENHANCING, 4: CAVITY},
}


def scheme_classes(scheme: str) -> list[TumourClass]:
    """The tumour classes of a label scheme, by rising value in our label maps.

    Raises InputError for an unknown scheme.
    """
    if scheme not in LABEL_SCHEMES:
        known = ", ".join(LABEL_SCHEMES)
        raise InputError(f"cohort.label_scheme is '{scheme}': expected one of {known}.")
    return sorted(LABEL_SCHEMES[scheme].values(), key=lambda tumour_class: tumour_class.value)


def ranked_classes(scheme: str) -> dict[int, TumourClass]:
    """The tumour classes of a scheme by their rank, from 1 on, without gaps.

    The rank is the id of the class's domain, its channel in a segmenter, and its value in an exported data set. Raises
    InputError for an unknown scheme.
    """
    return dict(enumerate(scheme_classes(scheme), start=1))


def rank_classes(labels: np.ndarray, scheme: str) -> np.ndarray:
    """Give the pixels of a label map the ranks of their classes in a scheme.

    labels: uint8 of any shape, values of our classes and 0. Returns uint8 of the same shape; classes that the scheme
    lacks become 0.
    """
    lookup = np.zeros(max(tumour_class.value for tumour_class in TUMOUR_CLASSES) + 1, np.uint8)
    for rank, tumour_class in ranked_classes(scheme).items():
        lookup[tumour_class.value] = rank
    return lookup[labels]


def unrank_classes(ranks: np.ndarray, scheme: str) -> np.ndarray:
    """Give ranks of `rank_classes` the values of their classes back; uint8 of the same shape."""
    values = np.array([0, *(tumour_class.value for tumour_class in ranked_classes(scheme).values())], np.uint8)
    return values[ranks]


def to_classes(labels: np.ndarray, scheme: str, source: str) -> np.ndarray:
    """Map a scheme's label values to our classes.

    labels: integer array of any shape, values of `scheme` and 0. source: name of the array for an error.
    Returns uint8 of the same shape. Raises InputError on a value outside the scheme.
    """
    table = LABEL_SCHEMES[scheme]
    present = np.unique(labels)
    for value in present:
        if value != 0 and int(value) not in table:
            expected = ", ".join(str(known) for known in (0, *sorted(table)))
            raise InputError(
                f"{source} has the label {value:g}, which label_scheme '{scheme}' does not have (expected {expected}): "
                "correct the file or choose the scheme it was annotated in."
            )
    classes = np.zeros(labels.shape, np.uint8)
    for value, tumour_class in table.items():
        classes[labels == value] = tumour_class.value
    return classes


def from_classes(classes: np.ndarray, scheme: str) -> np.ndarray:
    """Map our classes back to the label values of a scheme; uint8 of the same shape."""
    labels = np.zeros(classes.shape, np.uint8)
    for value, tumour_class in LABEL_SCHEMES[scheme].items():
        labels[classes == tumour_class.value] = value
    return labels

"""Classes of tumour or lesion, and the label values by which a cohort names them.

A cohort's own classes may differ from those of the base model (`TUMOUR_CLASSES`), which saw only gliomas. So each class
says which class of the base it resembles.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from mosaicmr.errors import InputError


@dataclass(frozen=True)
class TumourClass:
    """A class of a cohort: its value in our label maps, its name in files, and its name in words.

    value: from 1 on without gaps within a scheme; also the id of the class's domain. like: the name of the class of the
    base model (in TUMOUR_CLASSES) that it resembles.
    """

    value: int
    name: str
    words: str
    like: str

    @property
    def base_class(self) -> "TumourClass":
        """The class of the base model that this class resembles. Raises InputError if there is none of that name."""
        if self.like not in BY_NAME:
            raise InputError(f"The class '{self.name}' is like '{self.like}': expected one of {', '.join(BY_NAME)}.")
        return BY_NAME[self.like]

    @property
    def prompt_words(self) -> str:
        """The words of the class in prompts: with those of the class that it resembles, which the base has learnt."""
        known = self.base_class.words
        return self.words if self.words == known else f"{self.words} like {known}"


NECROSIS = TumourClass(1, "necrosis", "necrotic core", like="necrosis")
OEDEMA = TumourClass(2, "oedema", "oedema", like="oedema")
ENHANCING = TumourClass(3, "enhancing", "enhancing tumour", like="enhancing")
CAVITY = TumourClass(4, "cavity", "resection cavity", like="cavity")

TUMOUR_CLASSES = (NECROSIS, OEDEMA, ENHANCING, CAVITY)
BY_NAME = {tumour_class.name: tumour_class for tumour_class in TUMOUR_CLASSES}

# Label values of each scheme, from the challenges' own descriptions (Baid et al. 2021; BraTS 2023 and 2024 GLI).
LABEL_SCHEMES: dict[str, dict[int, TumourClass]] = {
    "brats2021": {1: NECROSIS, 2: OEDEMA, 4: ENHANCING},
    "brats2023": {1: NECROSIS, 2: OEDEMA, 3: ENHANCING},
    "brats2024-gli": {1: NECROSIS, 2: OEDEMA, 3: ENHANCING, 4: CAVITY},
}
CUSTOM = "custom"


@dataclass(frozen=True)
class LabelScheme:
    """The classes of a cohort, by rising value, and the class of each label value in its files.

    name: a key of LABEL_SCHEMES, or `custom`. values: from label values to values of our classes.
    """

    name: str
    classes: tuple[TumourClass, ...]
    values: Mapping[int, int]

    @classmethod
    def named(cls, name: str) -> Self:
        """A scheme of LABEL_SCHEMES. Raises InputError for another name."""
        if name not in LABEL_SCHEMES:
            known = ", ".join((*LABEL_SCHEMES, CUSTOM))
            raise InputError(f"cohort.label_scheme is '{name}': expected one of {known}.")
        table = LABEL_SCHEMES[name]
        classes = tuple(sorted(table.values(), key=lambda tumour_class: tumour_class.value))
        return cls(name, classes, {value: tumour_class.value for value, tumour_class in table.items()})

    @classmethod
    def from_records(cls, records: Iterable[Mapping[str, Any]], name: str = CUSTOM) -> Self:
        """The scheme of classes as `cohort.classes` in the configuration lists them.

        records: each with `name`, `values` (a list of label values), `words` and `like`. Raises InputError if two
        classes have a name or a value in common.
        """
        records = list(records)
        classes, values = [], {}
        for rank, record in enumerate(records, start=1):
            if any(record["name"] == tumour_class.name for tumour_class in classes):
                raise InputError(f"cohort.classes has two classes called '{record['name']}': rename one.")
            classes.append(TumourClass(rank, record["name"], record["words"], record["like"]))
            for value in record["values"]:
                if values.setdefault(int(value), rank) != rank:
                    other = classes[values[int(value)] - 1].name
                    raise InputError(
                        f"The label value {value} belongs to both '{other}' and '{record['name']}' in cohort.classes: "
                        "leave it to one."
                    )
        return cls(name, tuple(classes), values)

    @classmethod
    def of_config(cls, cohort: Mapping[str, Any]) -> Self:
        """The scheme that the section `cohort` of the configuration asks for. Raises InputError as the others do."""
        if cohort["label_scheme"] == CUSTOM:
            return cls.from_records(cohort["classes"])
        return cls.named(cohort["label_scheme"])

    def records(self) -> list[dict[str, Any]]:
        """The classes as `from_records` takes them."""
        return [
            {
                "name": tumour_class.name,
                "values": sorted(value for value, rank in self.values.items() if rank == tumour_class.value),
                "words": tumour_class.words,
                "like": tumour_class.like,
            }
            for tumour_class in self.classes
        ]

    def to_classes(self, labels: np.ndarray, source: str) -> np.ndarray:
        """Map label values to our classes.

        labels: integer array of any shape, values of the scheme and 0. source: name of the array for an error.
        Returns uint8 of the same shape. Raises InputError on a value outside the scheme.
        """
        for value in np.unique(labels):
            if value != 0 and int(value) not in self.values:
                expected = ", ".join(str(known) for known in (0, *sorted(self.values)))
                raise InputError(
                    f"{source} has the label {value:g}, which label_scheme '{self.name}' does not have "
                    f"(expected {expected}): correct the file or choose the scheme it was annotated in."
                )
        classes = np.zeros(labels.shape, np.uint8)
        for value, rank in self.values.items():
            classes[labels == value] = rank
        return classes

    def from_classes(self, classes: np.ndarray) -> np.ndarray:
        """Map our classes back to label values, the lowest of each class; uint8 of the same shape."""
        labels = np.zeros(classes.shape, np.uint8)
        for record, tumour_class in zip(self.records(), self.classes, strict=True):
            labels[classes == tumour_class.value] = record["values"][0]
        return labels


def classes_as_records(classes: Iterable[TumourClass]) -> list[dict[str, Any]]:
    """Classes as JSON holds them, for `TumourClass(**record)`."""
    return [asdict(tumour_class) for tumour_class in classes]


def rank_classes(labels: np.ndarray, classes: Sequence[TumourClass]) -> np.ndarray:
    """Number the classes of a label map from 1 on without gaps, as a segmenter's channels or nnU-Net want them.

    labels: uint8 of any shape, values of our classes and 0. classes: those that count, by rising value. Returns uint8
    of the same shape; a class that is not among `classes` becomes 0.
    """
    lookup = np.zeros(256, np.uint8)
    for rank, tumour_class in enumerate(classes, start=1):
        lookup[tumour_class.value] = rank
    return lookup[labels]


def unrank_classes(ranks: np.ndarray, classes: Sequence[TumourClass]) -> np.ndarray:
    """Give ranks of `rank_classes` the values of their classes back; uint8 of the same shape."""
    return np.array([0, *(tumour_class.value for tumour_class in classes)], np.uint8)[ranks]


def occurring_classes(classes: Iterable[TumourClass], subjects: pd.DataFrame) -> tuple[TumourClass, ...]:
    """The classes that at least one scan of the cohort has; the others count in no mean, loss or description.

    subjects: columns volume_<class>_mm3, as `check_subject` gives them.
    """
    return tuple(tumour_class for tumour_class in classes if (subjects[f"volume_{tumour_class.name}_mm3"] > 0).any())

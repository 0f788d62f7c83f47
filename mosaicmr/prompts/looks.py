"""Looks of each tumour class in each modality: measured, and put into the words of prompts.

A word is relative: 'bright' is the brightest third among the slices on which the scale was fitted. These are the slices
of the training patients, or in pretraining those of the U-Net's first training. So prompts of a cohort use every word
equally often, and a word means within the cohort what a reader who knows it would say.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mosaicmr.cohort.labels import TumourClass

SHADES = ("dark", "intermediate", "bright")
TEXTURES = ("homogeneous", "heterogeneous")
BRIGHTNESS, TEXTURE = "brightness", "texture"  # the attribute that each of these words describes
MIN_AREA = 20.0  # mm²: the texture of a smaller region cannot be measured
MIN_REGIONS = 3  # regions from which thirds can be found


@dataclass(frozen=True)
class Look:
    """Look of a tumour class in a modality: `brightness` indexes SHADES, `texture` indexes TEXTURES."""

    tumour_class: int
    modality: str
    brightness: int
    texture: int


@dataclass(frozen=True)
class LookScale:
    """Meaning of the words: for each (tumour class, modality) the two bounds of the thirds of mean intensity, and the
    median of the standard deviations, all in normalised intensity (0 to 1)."""

    bounds: dict[tuple[int, str], tuple[float, float, float]]

    @classmethod
    def fit(cls, slices: Iterable[pd.DataFrame]) -> "LookScale":
        """Fit the scale on the regions of slices, each as `measure_regions` returns them; a kind of region seen less
        than three times gets none."""
        seen = [regions for regions in slices if len(regions)]
        if not seen:
            return cls({})
        bounds = {}
        for (tumour_class, modality), group in pd.concat(seen).groupby(["tumour_class", "modality"]):
            if len(group) >= MIN_REGIONS:
                lower, upper = np.quantile(group["mean"], [1 / 3, 2 / 3])
                bounds[int(tumour_class), str(modality)] = (lower, upper, float(group["deviation"].median()))
        return cls({key: tuple(round(float(value), 6) for value in values) for key, values in bounds.items()})

    @classmethod
    def from_records(cls, records: Iterable[dict]) -> "LookScale":
        """The scale of records as `records` makes them."""
        return cls({(one["tumour_class"], one["modality"]): tuple(one["bounds"]) for one in records})

    def records(self) -> list[dict]:
        """The scale as JSON holds it: tumour_class, modality and bounds of each kind of region."""
        return [
            {"tumour_class": tumour_class, "modality": modality, "bounds": list(values)}
            for (tumour_class, modality), values in sorted(self.bounds.items())
        ]

    def describe(self, regions: pd.DataFrame) -> tuple[Look, ...]:
        """Describe the regions of a slice, in the order of the rows; regions without a scale have no look."""
        looks = []
        for tumour_class, modality, mean, deviation in regions.itertuples(index=False):
            if (tumour_class, modality) in self.bounds:
                lower, upper, middle = self.bounds[tumour_class, modality]
                brightness = int(mean > lower) + int(mean > upper)
                looks.append(Look(tumour_class, modality, brightness, int(deviation > middle)))
        return tuple(looks)


def measure_regions(
    images: np.ndarray, labels: np.ndarray, modalities: Sequence[str], pixel_size: float
) -> pd.DataFrame:
    """Measure mean and standard deviation of each tumour class in each modality of a slice.

    images: float [M, H, W] in [0, 1] of `modalities`; labels: uint8 [H, W], tumour classes; pixel_size: mm. Returns
    columns tumour_class, modality, mean and deviation, classes in rising order, those smaller than 20 mm² left out.
    """
    rows = []
    for value in np.unique(labels[labels > 0]):
        inside = labels == value
        if np.count_nonzero(inside) * pixel_size**2 >= MIN_AREA:
            values = np.asarray(images)[:, inside].astype(np.float64)
            moments = zip(modalities, values.mean(1), values.std(1), strict=True)
            rows += [(int(value), modality, mean, deviation) for modality, mean, deviation in moments]
    return pd.DataFrame(rows, columns=["tumour_class", "modality", "mean", "deviation"])


def look_column(attribute: str, tumour_class: TumourClass, modality: str) -> str:
    """The column of a table that holds a word: 'brightness_oedema_FLAIR'. attribute: BRIGHTNESS or TEXTURE."""
    return f"{attribute}_{tumour_class.name}_{modality}"


def tabulate_looks(
    looks: Iterable[Look], tumour_classes: Iterable[TumourClass], modalities: Sequence[str]
) -> dict[str, str | None]:
    """The words of the looks of a slice by column (see `look_column`), None without a look."""
    found = {(look.tumour_class, look.modality): look for look in looks}
    words = {}
    for tumour in tumour_classes:
        for modality in modalities:
            look = found.get((tumour.value, modality))
            words[look_column(BRIGHTNESS, tumour, modality)] = None if look is None else SHADES[look.brightness]
            words[look_column(TEXTURE, tumour, modality)] = None if look is None else TEXTURES[look.texture]
    return words


def read_looks(
    row: Mapping[str, object], tumour_classes: Iterable[TumourClass], modalities: Sequence[str]
) -> tuple[Look, ...]:
    """The looks behind the columns of `tabulate_looks` in a row of a table, in the order of the classes."""
    looks = []
    for tumour in tumour_classes:
        for modality in modalities:
            brightness = row.get(look_column(BRIGHTNESS, tumour, modality))
            if not pd.isna(brightness):
                texture = row[look_column(TEXTURE, tumour, modality)]
                looks.append(Look(tumour.value, modality, SHADES.index(brightness), TEXTURES.index(texture)))
    return tuple(looks)

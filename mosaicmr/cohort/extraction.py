"""From a subject's volumes to normalised axial slices: row 0 anterior, column 0 the patient's right."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.normalise import normalise_intensities
from mosaicmr.cohort.resampling import Frame, frame_brain
from mosaicmr.cohort.slice_set import SliceHeader, SliceSet
from mosaicmr.cohort.subject import Subject
from mosaicmr.cohort.volumes import Volumes, load_volumes


@dataclass(frozen=True)
class SliceSettings:
    """Settings for cutting slices: the keys of the same names under `cohort` in the configuration.

    slice_size in pixels; pixel_size and slice_spacing in mm; min_tumour_area in mm²; percentiles from 0 to 100.
    """

    slice_size: int
    pixel_size: float
    slice_spacing: float
    min_tumour_area: float
    max_slices_per_subject: int
    intensity_percentiles: tuple[float, float]

    @classmethod
    def from_config(cls, cohort: Mapping[str, Any]) -> "SliceSettings":
        """Take the settings out of the configuration's section `cohort`; other keys are ignored."""
        values = {name: cohort[name] for name in cls.__dataclass_fields__}
        return cls(**{**values, "intensity_percentiles": tuple(values["intensity_percentiles"])})


def extract_shard(
    subjects: Iterable[Subject], scheme: LabelScheme, modalities: Sequence[str], settings: SliceSettings
) -> SliceSet:
    """Cut the slices of several subjects into a single set, rows counted through; a valid empty set if there are none.

    The table has slice, subject, patient, row, height, tumour_area_mm2 and area_<class>_mm2. Raises InputError as
    `load_volumes` and `frame_brain` do.
    """
    empty = _empty(SliceHeader(tuple(modalities), settings.pixel_size, scheme.classes), settings)
    parts, tables = {name: [array] for name, array in empty.arrays.items()}, []
    for subject in subjects:
        part = cut_slices(load_volumes(subject, scheme), subject, scheme, settings)
        for name, array in part.arrays.items():
            parts[name].append(array)
        tables += [part.table] if len(part.table) else []
    # An empty table must not decide the types of columns, so it is used only if there is nothing else.
    table = pd.concat(tables or [empty.table], ignore_index=True)
    table["row"] = np.arange(len(table))
    return SliceSet(empty.header, table, {name: _join(arrays) for name, arrays in parts.items()})


def _join(parts: list[np.ndarray]) -> np.ndarray:
    """Concatenate, freeing each part once it is copied: the slices of a large shard fill memory once, not twice."""
    end = sum(map(len, parts))
    joined = np.empty((end, *parts[0].shape[1:]), parts[0].dtype)
    while parts:
        part = parts.pop()
        joined[end - len(part) : end] = part
        end -= len(part)
    return joined


def cut_slices(volumes: Volumes, subject: Subject, scheme: LabelScheme, settings: SliceSettings) -> SliceSet:
    """Cut one subject's slices.

    All slices of a subject share one frame, centred on the bounding box of its brain. A plane qualifies if it holds
    min_tumour_area of tumour in the slice as it is written. Planes lie slice_spacing apart, counted from the plane with
    most tumour, so that a small tumour is not missed between two of them.
    Raises InputError if the brain is larger than a slice.
    """
    header = SliceHeader(tuple(subject.images), settings.pixel_size, scheme.classes)
    frame = frame_brain(volumes, settings.slice_size, settings.pixel_size, str(subject.labels))
    planes, labels, brain = _qualifying_planes(volumes, frame, settings)
    if not planes:
        return _empty(header, settings)
    kept = _evenly(len(planes), settings.max_slices_per_subject)
    planes, labels, brain = [planes[index] for index in kept], labels[kept], brain[kept]
    normalised = normalise_intensities(volumes.images, volumes.brain, settings.intensity_percentiles)
    # Divided by the resampled mask, so that the dark outside does not bleed into the brain's edge.
    weights = frame.images(volumes.brain[..., planes])
    images = np.clip(frame.images(normalised[..., planes]) / np.maximum(weights, 0.05), 0, 1) * brain
    arrays = {"images": np.moveaxis(images, 0, 1).astype(np.float16), "labels": labels, "brain": brain}
    return SliceSet(header, _table(planes, labels, volumes, subject, header), arrays)


def _qualifying_planes(
    volumes: Volumes, frame: Frame, settings: SliceSettings
) -> tuple[list[int], np.ndarray, np.ndarray]:
    """The planes with enough tumour (indices along z), with their labels and brain masks, uint8 [n, H, W]."""
    areas = (volumes.labels > 0).sum(axis=(0, 1))
    if not areas.any():
        return [], np.empty(0), np.empty(0)
    spacing = volumes.voxel_size[2]
    peak = int(areas.argmax())
    reach = int(len(areas) * spacing / settings.slice_spacing) + 1
    steps = np.arange(-reach, reach + 1) * settings.slice_spacing / spacing
    planes = [plane for plane in np.unique(peak + np.rint(steps).astype(int)) if 0 <= plane < len(areas)]
    planes = [int(plane) for plane in planes if areas[plane] > 0]
    brain = (frame.masks(volumes.brain[..., planes]) >= 0.5).astype(np.uint8)
    labels = frame.labels(volumes.labels[..., planes]) * brain
    large = (labels > 0).sum(axis=(1, 2)) * settings.pixel_size**2 >= settings.min_tumour_area
    return [plane for plane, kept in zip(planes, large, strict=True) if kept], labels[large], brain[large]


def _evenly(count: int, most: int) -> list[int]:
    """At most `most` of `count` indices, spread evenly and about the middle."""
    if count <= most:
        return list(range(count))
    return [int((index + 0.5) * count / most) for index in range(most)]


def _table(
    planes: Sequence[int], labels: np.ndarray, volumes: Volumes, subject: Subject, header: SliceHeader
) -> pd.DataFrame:
    inside = np.flatnonzero(volumes.brain.any(axis=(0, 1)))
    extent = max(1, inside[-1] - inside[0])
    rows = []
    for row, (plane, label) in enumerate(zip(planes, labels, strict=True)):
        areas = {
            f"area_{tumour_class.name}_mm2": float((label == tumour_class.value).sum() * header.pixel_size**2)
            for tumour_class in header.classes
        }
        rows.append(
            {
                "slice": f"{subject.subject}-z{plane:03d}",
                "subject": subject.subject,
                "patient": subject.patient,
                "row": row,
                "height": float((plane - inside[0]) / extent),
                "tumour_area_mm2": float((label > 0).sum() * header.pixel_size**2),
                **areas,
            }
        )
    return pd.DataFrame(rows)


def _empty(header: SliceHeader, settings: SliceSettings) -> SliceSet:
    """No slices, in the right shapes and types."""
    plane = (0, settings.slice_size, settings.slice_size)
    texts = {name: pd.Series(dtype="str") for name in ("slice", "subject", "patient")}
    names = ("height", "tumour_area_mm2", *(f"area_{item.name}_mm2" for item in header.classes))
    numbers = {name: pd.Series(dtype="float64") for name in names}
    table = pd.DataFrame({**texts, "row": pd.Series(dtype="int64"), **numbers})
    arrays = {
        "images": np.empty((0, len(header.modalities), *plane[1:]), np.float16),
        "labels": np.empty(plane, np.uint8),
        "brain": np.empty(plane, np.uint8),
    }
    return SliceSet(header, table, arrays)

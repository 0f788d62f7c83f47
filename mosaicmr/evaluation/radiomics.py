"""Radiomic features of every domain in every modality of a slice, by pyradiomics (van Griethuysen et al. 2017).

The feature classes are called directly on the cropped region: the extractor around them checks and crops again at each
call, which takes most of the time of a 2D region, and its values are the same.
"""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
import radiomics
import SimpleITK as sitk
from radiomics import firstorder, glcm, gldm, glrlm, glszm, ngtdm

from mosaicmr.cohort.slice_set import SliceHeader, SliceSet

FEATURE_CLASSES = {
    "firstorder": firstorder.RadiomicsFirstOrder,
    "glcm": glcm.RadiomicsGLCM,
    "gldm": gldm.RadiomicsGLDM,
    "glrlm": glrlm.RadiomicsGLRLM,
    "glszm": glszm.RadiomicsGLSZM,
    "ngtdm": ngtdm.RadiomicsNGTDM,
}
# Texture matrices of a handful of pixels are noise.
MINIMUM_PIXELS = 25
COLUMNS = ["slice", "patient", "split", "domain", "modality", "feature", "value"]

# pyradiomics logs one line a call, and warnings about each matrix.
radiomics.setVerbosity(60)
logging.getLogger("radiomics").setLevel(logging.CRITICAL)


def region_features(
    image: np.ndarray, mask: np.ndarray, classes: Sequence[str], bin_count: int, pixel_size: float
) -> dict[str, float]:
    """Features of the pixels of `image` [H, W] where `mask` [H, W] is true, named `<class>_<feature>`.

    `classes` are names of `FEATURE_CLASSES`; grey levels are cut into `bin_count` bins between the region's minimum and
    maximum; `pixel_size` in mm. The region is measured in 2D. Values that a flat region leaves undefined are NaN.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    picture = sitk.GetImageFromArray(image[box][None].astype(np.float64))
    region = sitk.GetImageFromArray(mask[box][None].astype(np.uint8))
    picture.SetSpacing((pixel_size, pixel_size, 1.0))
    region.SetSpacing((pixel_size, pixel_size, 1.0))
    settings = {"binCount": bin_count, "force2D": True, "force2Ddimension": 0, "label": 1}
    values = {}
    with np.errstate(all="ignore"):
        for name in classes:
            measured = FEATURE_CLASSES[name](picture, region, **settings).execute()
            values.update({f"{name}_{feature}": float(value) for feature, value in measured.items()})
    return values


def slice_features(
    images: np.ndarray,
    domains: np.ndarray,
    header: SliceHeader,
    classes: Sequence[str],
    bin_count: int,
) -> pd.DataFrame:
    """Features of one slice: rows of domain, modality, feature, value.

    `images` [M, H, W] in [0, 1]; `domains` [H, W]; `header` names both.  Domains of fewer than
    `MINIMUM_PIXELS` pixels are left out, and so are values that are not finite.
    """
    rows = []
    for number, domain in enumerate(header.domains, start=1):
        mask = domains == number
        if mask.sum() < MINIMUM_PIXELS:
            continue
        for image, modality in zip(images, header.modalities, strict=True):
            values = region_features(image, mask, classes, bin_count, header.pixel_size)
            rows.extend((domain, modality, feature, value) for feature, value in values.items() if np.isfinite(value))
    return pd.DataFrame(rows, columns=["domain", "modality", "feature", "value"])


def batch_features(batch: SliceSet, classes: Sequence[str], bin_count: int) -> pd.DataFrame:
    """`slice_features` of every slice of a batch, with the columns of `COLUMNS`."""
    tables = [pd.DataFrame(columns=COLUMNS).astype({"value": float})]
    for position, known in enumerate(batch.table.itertuples()):
        images, domains = batch.images[position], batch.domains[position]
        table = slice_features(images, domains, batch.header, classes, bin_count)
        tables.append(table.assign(slice=known.slice, patient=known.patient, split=known.split)[COLUMNS])
    filled = [table for table in tables if len(table)] or tables[:1]
    return pd.concat(filled, ignore_index=True)

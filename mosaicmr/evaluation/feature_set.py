"""Measurements taken once of every slice, real or synthetic, and then compared by several metrics."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from mosaicmr.cohort.selection import in_splits
from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.evaluation.features import efficientnet_features
from mosaicmr.evaluation.inception import inception_features
from mosaicmr.evaluation.seams import border_steps
from mosaicmr.io import load_arrays, load_table, save_arrays, save_table

TEXTURE_SIZE = 32


@dataclass(frozen=True)
class FeatureSet:
    """Features of n slices.

    table (slice, patient, split, height); efficientnet float32 [n, M, 1280]; textures float32 [n, M, 32, 32]
    (`textures_of`); steps float64 [n, 4] (`border_steps`); inception float32 [n, M, 2048], or None without its
    weights.
    """

    table: pd.DataFrame
    efficientnet: np.ndarray
    textures: np.ndarray
    steps: np.ndarray
    inception: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.table)

    @property
    def patients(self) -> np.ndarray:
        """The (source) patient of each slice."""
        return self.table["patient"].to_numpy(str)

    def of(self, *splits: str) -> "FeatureSet":
        """The slices of these parts of the cohort."""
        rows = np.flatnonzero(in_splits(self.table, *splits))
        inception = None if self.inception is None else self.inception[rows]
        table = self.table.iloc[rows].reset_index(drop=True)
        return FeatureSet(table, self.efficientnet[rows], self.textures[rows], self.steps[rows], inception)


def textures_of(images: np.ndarray, domains: np.ndarray) -> np.ndarray:
    """Textures beyond the layout: grey minus the mean of its domain, averaged down to thumbnails.

    `images` [n, M, H, W], `domains` [n, H, W]; returns float32 [n, M, 32, 32] (fewer where H or W has fewer), 0 in the
    background.
    """
    grey = np.array(images, np.float32)
    for picture, layout in zip(grey, domains, strict=True):
        picture[:, layout == 0] = 0.0
        for number in np.unique(layout[layout > 0]):
            inside = layout == number
            picture[:, inside] -= picture[:, inside].mean(axis=1, keepdims=True)
    size = tuple(min(TEXTURE_SIZE, side) for side in grey.shape[-2:])
    return torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(grey), size).numpy()


def measure_features(
    batch: SliceSet, efficientnet: torch.nn.Module, inception: torch.nn.Module | None, device: str
) -> FeatureSet:
    """Measure all features of the slices of a batch."""
    return FeatureSet(
        table=batch.table,
        efficientnet=efficientnet_features(efficientnet, batch.images, device),
        textures=textures_of(batch.images, batch.domains),
        steps=border_steps(batch.images, batch.domains),
        inception=None if inception is None else inception_features(inception, batch.images, device),
    )


def join_features(parts: list[FeatureSet]) -> FeatureSet:
    """Join several sets, in their order."""
    has_inception = all(part.inception is not None for part in parts)
    return FeatureSet(
        table=pd.concat([part.table for part in parts], ignore_index=True),
        efficientnet=np.concatenate([part.efficientnet for part in parts]),
        textures=np.concatenate([part.textures for part in parts]),
        steps=np.concatenate([part.steps for part in parts]),
        inception=np.concatenate([part.inception for part in parts]) if has_inception else None,
    )


def save_features(arrays: str | Path, table: str | Path, features: FeatureSet) -> None:
    """Write a set as safetensors and Parquet."""
    named = {name: getattr(features, name) for name in ("efficientnet", "textures", "steps")}
    if features.inception is not None:
        named["inception"] = features.inception
    save_arrays(arrays, named)
    save_table(table, features.table)


def load_features(arrays: str | Path, table: str | Path) -> FeatureSet:
    """Read what `save_features` wrote."""
    return FeatureSet(table=load_table(table), **load_arrays(arrays))

"""The segmenter itself: a small U-Net, its predictions, its scores, and its weights on disk."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from monai.networks.nets import UNet
from torch import nn

from mosaicmr.cohort.labels import TumourClass, unrank_classes
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.io import load_arrays, load_metadata
from mosaicmr.segmentation.references import read_slices
from mosaicmr.segmentation.scores import score_patient
from mosaicmr.stage import progress

SEGMENTED_AT_ONCE = 16  # slices
SCORE_COLUMNS = ["patient", "seed", "class", "dsc", "hd95"]


def build_segmenter(header: SliceHeader, channels: Sequence[int], seed: int) -> UNet:
    """Build a residual U-Net (Kerfoot et al. 2018) with instance norm: [n, M, H, W] to logits [n, classes + 1, H, W].

    header: of the slices, whose modalities and classes it has. channels: features of each level; H and W
    must be divisible by 2 ** (levels - 1). Weights follow from `seed`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return UNet(
            spatial_dims=2,
            in_channels=len(header.modalities),
            out_channels=len(header.classes) + 1,
            channels=tuple(channels),
            strides=(2,) * (len(channels) - 1),
            num_res_units=2,
            norm="INSTANCE",
        )


@torch.inference_mode()
def segment(model: nn.Module, images: torch.Tensor, classes: Sequence[TumourClass]) -> np.ndarray:
    """Segment images float32 [n, M, H, W]; returns uint8 [n, H, W]. classes: of the channels after the first."""
    device = next(model.parameters()).device
    channels = [model(chunk.to(device)).argmax(1).cpu().numpy() for chunk in images.split(SEGMENTED_AT_ONCE)]
    return unrank_classes(np.concatenate(channels), classes)


def segment_references(
    model: nn.Module, references: pd.DataFrame, classes: Sequence[TumourClass]
) -> tuple[np.ndarray, np.ndarray]:
    """The model's labels of the referenced slices and the slices' own labels, both uint8 [n, H, W]."""
    images, labels = read_slices(references)
    return segment(model, images, classes), labels.numpy().astype(np.uint8)


def score_patients(references: pd.DataFrame, segmenters: Mapping[int, nn.Module], header: SliceHeader) -> pd.DataFrame:
    """Score every referenced patient with every seed's segmenter: patient, seed, class, dsc, hd95 (mm)."""
    tables = []
    groups = references.groupby("patient")
    for patient, group in progress(groups, groups.ngroups, "patients scored"):
        for seed, model in segmenters.items():
            found, truth = segment_references(model, group, header.classes)
            scores = score_patient(found, truth, header.classes, header.pixel_size)
            tables.append(scores.assign(patient=patient, seed=seed)[SCORE_COLUMNS])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=SCORE_COLUMNS)


def describe_weights(header: SliceHeader, channels: Sequence[int], seeds: Sequence[int]) -> dict[str, str]:
    """The metadata of a file of weights: the header of the slices, and what `load_segmenters` needs beside it."""
    return header.metadata | {"segmenter": json.dumps({"channels": list(channels), "seeds": list(seeds)})}


def load_segmenters(path: str | Path, device: torch.device) -> Mapping[int, nn.Module]:
    """Load the trained segmenters of an arm by seed, from the weights that the rule `train_segmenter` writes."""
    facts, header = json.loads(load_metadata(path)["segmenter"]), SliceHeader.read(path)
    arrays = load_arrays(path)
    models = {}
    for seed in facts["seeds"]:
        model = build_segmenter(header, facts["channels"], seed=0)
        prefix = f"seed{seed}."
        own = {name: torch.from_numpy(array) for name, array in arrays.items() if name.startswith(prefix)}
        model.load_state_dict({name.removeprefix(prefix): tensor for name, tensor in own.items()})
        models[seed] = model.to(device).eval()
    return models

"""Quality of the autoencoder's reconstructions of slices that it was not trained on."""

from functools import partial

import numpy as np
import torch

from benchmarks.base_figures.bench import Bench
from benchmarks.base_figures.phantoms import SEED
from benchmarks.base_figures.pictures import reconstruction_sheet
from benchmarks.base_figures.record import Figure
from mosaicmr.cohort.extraction import extract_shard
from mosaicmr.diffusion.codec import Codec
from mosaicmr.evaluation.intervals import patient_interval
from mosaicmr.evaluation.ssim import slice_ssim
from mosaicmr.pretraining.unet_sets import MODALITIES
from mosaicmr.simulation.phantom import SCHEME
from mosaicmr.sources.subjects import find_subjects
from mosaicmr.stage import progress


def autoencoder_ssim_phantoms(bench: Bench) -> Figure:
    """Brain-masked SSIM of reconstructions of unseen phantoms."""
    phantoms = bench.fine
    decoded = reconstruct(bench.model.codec, phantoms.images)
    return ssim_figure("phantoms", phantoms.images, decoded, phantoms.brain, phantoms.patients)


def autoencoder_ssim_real(bench: Bench) -> Figure:
    """The same on real subjects; no base was trained on them."""
    subjects = find_subjects(bench.real, MODALITIES, SCHEME.name).require()
    settings = bench.cutting(bench.amounts.real, bench.amounts.real_slices)
    slices = extract_shard(subjects, SCHEME, MODALITIES, settings)
    images = slices.images.astype(np.float32)
    decoded = reconstruct(bench.model.codec, images)
    return ssim_figure("real", images, decoded, slices.brain, slices.table["patient"].to_numpy())


def reconstruct(codec: Codec, images: np.ndarray) -> np.ndarray:
    """Slices float32 [n, M, H, W] in [0, 1] through the autoencoder and back."""
    slices = progress(torch.from_numpy(images), len(images), "slices reconstructed")
    return np.concatenate([codec.decode(codec.encode(one[None])[0]).cpu().numpy() for one in slices])


def ssim_figure(name: str, images: np.ndarray, decoded: np.ndarray, brain: np.ndarray, patients: np.ndarray) -> Figure:
    """The mean over slices and modalities, with each modality as a part."""
    values = brain_ssim(images, decoded, brain)
    value, low, high, count = patient_interval(values.mean(1), patients, seed=SEED)
    parts = {modality: float(mean) for modality, mean in zip(MODALITIES, values.mean(0), strict=True)}
    sheet = partial(reconstruction_sheet, images, decoded)
    return Figure(value, low, high, len(images), count, parts, {f"{name}_reconstructions": sheet})


def brain_ssim(images: np.ndarray, others: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Brain-masked SSIM float64 [n, M] of each modality of two sets of slices [n, M, H, W]; brain: [n, H, W]."""
    return np.array(
        [
            [slice_ssim(left[None], right[None], mask)[0] for left, right in zip(one, other, strict=True)]
            for one, other, mask in zip(images, others, brain, strict=True)
        ]
    )

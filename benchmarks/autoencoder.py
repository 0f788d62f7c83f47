"""How well the bundled autoencoder reconstructs real slices: brain-masked SSIM of each modality at 1 and 1.5 mm.

python benchmarks/autoencoder.py DIR        a folder of subjects in the naming of BraTS 2018-2021
"""

import sys

import numpy as np
import torch
from skimage.metrics import structural_similarity

from mosaicmr.cohort.extraction import SliceSettings, extract_shard
from mosaicmr.cohort.sources import find_subjects
from mosaicmr.diffusion.base import load_codec

MODALITIES = ("FLAIR", "T1", "T1ce", "T2")
SLICES_PER_SUBJECT = 2


def brain_ssim(real: np.ndarray, decoded: np.ndarray, brain: np.ndarray) -> float:
    """Mean of the SSIM map (Gaussian window of 1.5 pixels) over the brain; images float [H, W] in [0, 1]."""
    options = {"data_range": 1.0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(real, decoded, full=True, **options)[1][brain > 0].mean())


def measure(folder: str, pixel_size: float, size: int) -> dict[str, float]:
    """SSIM by modality over the slices with most tumour of each subject."""
    subjects = find_subjects(folder, MODALITIES, "brats2021")
    settings = SliceSettings(size, pixel_size, 10.0, 1.0, SLICES_PER_SUBJECT, (0.5, 99.5))
    slices = extract_shard(subjects, "brats2021", MODALITIES, settings)
    codec = load_codec("models/base")
    scores: dict[str, list[float]] = {modality: [] for modality in MODALITIES}
    for images, brain in zip(slices.images.astype(np.float32), slices.brain, strict=True):
        decoded = codec.decode(codec.encode(torch.from_numpy(images)[None])[0])[0].numpy()
        for index, modality in enumerate(MODALITIES):
            scores[modality].append(brain_ssim(images[index], decoded[index], brain))
    return {modality: float(np.mean(values)) for modality, values in scores.items()}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for pixel_size, size in ((1.0, 240), (1.5, 128)):
        by_modality = measure(sys.argv[1], pixel_size, size)
        figures = "  ".join(f"{modality} {value:.3f}" for modality, value in by_modality.items())
        print(f"{pixel_size:g} mm: {figures}  mean {np.mean(list(by_modality.values())):.3f}")

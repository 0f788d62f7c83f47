"""Slices encoded once, so that no training job loads the autoencoder."""

import numpy as np
import torch

from mosaicmr.diffusion.codec import Codec
from mosaicmr.errors import InputError
from mosaicmr.stage import progress


def encode_slices(codec: Codec, images: np.ndarray, batch_size: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and standard deviation of slices.

    images: float [n, M, H, W] in [0, 1]. Returns two float16 arrays [n, M * channels, h, w], normalised as
    `Codec.encode` says. Raises InputError if the codec cannot divide the slices, or if its output is not
    finite.
    """
    count, modalities, height, width = images.shape
    if height % codec.downsampling or width % codec.downsampling:
        raise InputError(
            f"cohort.slice_size is {height}: expected a multiple of {codec.downsampling}, by which the autoencoder of "
            "base.model shrinks a slice; change it."
        )
    shape = (count, modalities * codec.channels, height // codec.downsampling, width // codec.downsampling)
    mean, std = np.empty(shape, np.float16), np.empty(shape, np.float16)
    starts = range(0, count, batch_size)
    for start in progress(starts, len(starts), "encoding batches of slices"):
        batch = slice(start, start + batch_size)
        moments = codec.encode(torch.from_numpy(images[batch].astype(np.float32)))
        mean[batch], std[batch] = (moment.cpu().numpy() for moment in moments)
    if not (np.isfinite(mean).all() and np.isfinite(std).all()):
        raise InputError(
            "The autoencoder of base.model gave latents that are not finite: expected numbers; use another model."
        )
    return mean, std

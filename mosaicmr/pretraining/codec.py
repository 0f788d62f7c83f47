"""The parts of the bundled codec that are fitted, not trained: its patch transform and its latents' scale."""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from mosaicmr.diffusion.codec import Codec
from mosaicmr.diffusion.patch_transform import PatchTransform
from mosaicmr.pretraining.autoencoder import UNSHUFFLE

BACKGROUND = 5  # of 255: patches with a darker pixel say nothing about tissue and would swamp the statistics
MAX_PATCHES = 1_000_000


def fit_patch_transform(images: np.ndarray, channels: int, side: int) -> PatchTransform:
    """The first `channels` uncentred principal components of the tissue patches of slices uint8 [n, M, H, W].

    At most a million patches count, taken evenly over the slices.
    """
    pixels = torch.from_numpy(images).reshape(-1, 1, *images.shape[2:])
    every = max(1, pixels.shape[0] * pixels.shape[2] * pixels.shape[3] // (side**2 * MAX_PATCHES))
    patches = F.pixel_unshuffle(pixels[::every], side).permute(0, 2, 3, 1).reshape(-1, side**2)
    patches = patches[patches.amin(1) > BACKGROUND].double() / 255 * 2 - 1
    power, components = torch.linalg.eigh(patches.T @ patches / len(patches))
    kept = components.flip(1)[:, :channels].T
    largest = kept.gather(1, kept.abs().argmax(1, keepdim=True))
    kept = kept * largest.sign()  # eigenvectors come with either sign
    return PatchTransform(kept.float().contiguous(), power.flip(0)[:channels].sqrt().float())


@torch.no_grad()
def normalised_codec(autoencoder: AutoencoderKL, transform: PatchTransform, images: np.ndarray) -> Codec:
    """The codec whose latents have zero mean and, over all channels, unit variance on slices uint8 [n, M, H, W].

    A channel's standard deviation is proportional to the root of its component's in the pixels. Diffusion then settles
    coarse structure first, as it does in images. With equal variances, fine detail would weigh as much as the tissue
    around it (compare Skorokhodov et al., ICML 2025, on latents with too much high frequency).
    """
    channels = transform.channels
    raw = Codec(autoencoder, UNSHUFFLE, 1, torch.zeros(channels), torch.ones(channels), transform)
    batches = [torch.from_numpy(images[i : i + 16]).float() / 255 for i in range(0, len(images), 16)]
    latents = torch.cat([raw.encode(batch)[0].cpu() for batch in batches])
    latents = latents.reshape(-1, channels, *latents.shape[2:])
    weights = transform.deviations.sqrt() / transform.deviations.mean().sqrt()
    return replace(raw, mean=latents.mean((0, 2, 3)), std=latents.std((0, 2, 3)) / weights)

"""Experts whose pictures are known in advance: each paints the grey level that its prompt asks for."""

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.diffusion.sampling import ddim_schedule
from mosaicmr.synthesis.generation import Sampler
from mosaicmr.synthesis.inputs import Embeddings, Layouts

SCHEDULE = DDPMScheduler(prediction_type="v_prediction", rescale_betas_zero_snr=True)
NAMES = ("necrosis", "oedema", "enhancing", "healthy1", "healthy2")
GREYS = {"necrosis": 0.2, "oedema": 0.8, "enhancing": 0.9, "healthy1": 0.4, "healthy2": 0.6, "whole": 0.5}


class PixelCodec:
    """A codec without loss: 2 x 2 pixels become four channels, and [0, 1] becomes [-1, 1]."""

    channels, downsampling = 4, 2

    def encode(self, images):
        mean = F.pixel_unshuffle(images * 2 - 1, 2)
        return mean, torch.zeros_like(mean)

    def decode(self, latents):
        return ((F.pixel_shuffle(latents, 2) + 1) / 2).clamp(0, 1)


class GreyPainter:
    """A denoiser that is sure of the grey level in its prompt's embedding, with a texture of spread `spread`."""

    def __init__(self, spread=0.0):
        self.spread = spread
        self.batches = []

    def __call__(self, latents, timesteps, embeddings, mask, layout):
        self.batches.append(len(latents))
        a = SCHEDULE.alphas_cumprod[timesteps[0]]
        mean = embeddings[:, 0, 0].reshape(-1, 1, 1, 1) * 2 - 1
        gain = a.sqrt() * self.spread**2 / (a * self.spread**2 + 1 - a)
        clean = mean + gain * (latents - a.sqrt() * mean)
        noise = (latents - a.sqrt() * clean) / (1 - a).sqrt()
        return a.sqrt() * noise - (1 - a).sqrt() * clean


def grey_layouts(count=5, size=16, modalities=2) -> Layouts:
    """Layouts with necrosis (in the first slice only), oedema and two healthy halves, in a margin of background."""
    domains = np.zeros((count, size, size), np.uint8)
    domains[:, 2:-2, 2 : size // 2] = 4
    domains[:, 2:-2, size // 2 : -2] = 5
    domains[:, 4:8, 4:8] = 2
    domains[0, 4:6, 4:6] = 1
    table = pd.DataFrame({"slice": [f"s{row:05d}" for row in range(count)]})
    for name in (*NAMES, "whole"):
        table[f"prompt_{name}"] = f"paint {name}"
    source = np.random.default_rng(0).random((count, modalities, size, size)).astype(np.float16)
    header = SliceHeader(("FLAIR", "T2", "T1", "T1ce")[:modalities], 1.0, LabelScheme.named("brats2021").classes, NAMES)
    return Layouts(header, table, {"domains": domains, "source": source * (domains[:, None] > 0)})


def grey_sampler(steps=4, guidance_scale=1.0, share_noise=True, seed=1) -> Sampler:
    """A sampler for `GreyPainter`: a prompt's embedding is its grey level."""
    states = np.array([0.0, *GREYS.values()], np.float16).reshape(-1, 1, 1)
    rows = {f"paint {name}": row for row, name in enumerate(GREYS, start=1)}
    embeddings = Embeddings(states, np.ones(states.shape[:2], np.uint8), rows)
    schedule = ddim_schedule(SCHEDULE, steps)
    return Sampler(PixelCodec(), schedule, embeddings, guidance_scale, share_noise, seed, torch.device("cpu"))

"""One slice from a domain map and a prompt, without a run of the workflow."""

from dataclasses import replace

import numpy as np
import pandas as pd

from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.denoiser import Denoiser
from mosaicmr.errors import InputError
from mosaicmr.partition.domains import WHOLE
from mosaicmr.synthesis.generation import Sampler, Start, synthesize_slices
from mosaicmr.synthesis.inputs import Embeddings, Layouts

# As in config/config.yaml.
STEPS = 6
GUIDANCE_SCALE = 2.0


def draw_slice(
    base: Base,
    denoiser: Denoiser,
    domains: np.ndarray,
    header: SliceHeader,
    prompt: str,
    *,
    steps: int = STEPS,
    guidance_scale: float = GUIDANCE_SCALE,
    seed: int = 1,
) -> np.ndarray:
    """Draw a slice from noise.

    denoiser: made of `base`, with or without an expert. domains: uint8 [H, W], 0 outside the brain; H and W are
    multiples of the base's downsampling; row 0 is anterior, column 0 the patient's right. header: of the map.
    prompt: as in the column `prompt_whole` of a
    run's layouts; '' asks for nothing. steps, guidance_scale: as config keys `synthesis.*`. seed: of the noise.
    Returns float16 [M, H, W] in [0, 1], the base's modalities in their order, 0 outside the brain. Raises InputError if
    a part of the base cannot be read, or if the map has another size or an id that the header does not name.
    """
    side = base.codec.downsampling
    if any(length % side for length in domains.shape):
        raise InputError(f"The domain map is {domains.shape}: expected multiples of {side}; pad it with background.")
    if domains.max() > len(header.domains):
        raise InputError(
            f"The domain map holds id {domains.max()}: expected at most {len(header.domains)}, see header."
        )
    table = pd.DataFrame({"slice": ["drawn"], f"prompt_{WHOLE}": [prompt]})
    source = np.zeros((1, len(base.modalities), *domains.shape), np.float16)
    layouts = Layouts(replace(header, modalities=base.modalities), table, {"domains": domains[None], "source": source})
    embeddings = Embeddings.embed(base.text_encoder, [prompt])
    settings = {"steps": steps, "guidance_scale": guidance_scale, "share_noise": True}
    return synthesize_slices(Sampler.of(base, embeddings, settings, seed), layouts, denoiser, Start())[0]

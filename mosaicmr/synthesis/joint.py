"""The `joint` scheme: all experts act on one shared latent at every step, so that there is no seam to repair."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mosaicmr.diffusion.denoiser import Denoiser
from mosaicmr.diffusion.sampling import Predictor, blend
from mosaicmr.partition.domains import WHOLE
from mosaicmr.synthesis.generation import Sampler, Start, draw_slices, keep_brain
from mosaicmr.synthesis.inputs import Layouts
from mosaicmr.synthesis.merge import feathered_weights


def synthesize_jointly(
    sampler: Sampler, layouts: Layouts, experts: Mapping[str, Denoiser], start: Start, feather: float, pixel_size: float
) -> np.ndarray:
    """Denoise one latent per slice, each expert deciding in its domain and `whole` in the background.

    experts: denoisers by name, `whole` among them, all in memory. feather, pixel_size: mm.
    Returns float16 [n, M, H, W] in [0, 1], 0 outside the layout's brain.
    """
    weights = latent_weights(layouts, feather, pixel_size, sampler.codec.downsampling).to(sampler.device)

    def predictor_of(rows: np.ndarray) -> Predictor:
        parts = []
        for index, expert in enumerate((WHOLE, *layouts.names)):
            local = np.flatnonzero(np.isin(rows, layouts.rows_with(expert)))
            if local.size:
                predictor = sampler.predictor(experts[expert], expert, layouts, rows[local])
                where = torch.from_numpy(local).to(sampler.device)
                parts.append((where, predictor, weights[rows[local], index]))
        return blend(parts)

    drawn = draw_slices(sampler, layouts, np.arange(len(layouts)), predictor_of, start, sampler.noise_label("joint"))
    return keep_brain(drawn, layouts.domains)


def latent_weights(layouts: Layouts, feather: float, pixel_size: float, downsampling: int) -> Tensor:
    """Feathered weights of the background and each domain, averaged over the pixels behind each latent position.

    feather, pixel_size: mm. downsampling: slice side over latent side. Returns float32 [n, 1 + D, h, w] that add up to
    1 everywhere.
    """
    ids = range(len(layouts.names) + 1)
    pixels = np.stack([feathered_weights(domains, ids, feather, pixel_size) for domains in layouts.domains])
    return F.avg_pool2d(torch.from_numpy(pixels), downsampling)

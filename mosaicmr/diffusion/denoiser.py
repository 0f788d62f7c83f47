"""A base model with one expert, ready to predict."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from mosaicmr.device import autocast, choose_dtype
from mosaicmr.diffusion.adapters import merge_adapter
from mosaicmr.diffusion.base import load_unet, unet_name
from mosaicmr.diffusion.unet import predict


@dataclass(frozen=True)
class Denoiser:
    """A frozen U-Net, the device it is on, and the dtype that matrix products are computed in."""

    unet: UNet2DConditionModel
    device: torch.device
    dtype: torch.dtype

    @torch.inference_mode()
    def __call__(self, latents: Tensor, timesteps: Tensor, embeddings: Tensor, mask: Tensor, layout: Tensor) -> Tensor:
        """The prediction (noise or velocity, as the model's schedule says) float32 [n, C, h, w], where `latents` is.

        latents: float [n, C, h, w]; timesteps: int64 [n]; embeddings: float [n, L, D]; mask: [n, L], nonzero on tokens;
        layout: float [n, 24, h, w]. They are brought to the model's device.
        """
        tensors = (tensor.to(self.device) for tensor in (latents.float(), timesteps, embeddings, mask, layout))
        with autocast(self.device, self.dtype):
            prediction = predict(self.unet, *tensors)
        return prediction.float().to(latents.device)


def load_denoiser(
    model: str | Path,
    modalities: Sequence[str],
    expert_folder: str | Path | None,
    device: torch.device | str = "cpu",
    precision: str = "auto",
) -> Denoiser:
    """The base U-Net for `modalities`, with the expert in `expert_folder` merged in, or as it is for None.

    model: as for `load_unet`. precision: as config key `base.precision`. Raises InputError if base or expert are
    missing or do not fit each other.
    """
    device = torch.device(device)
    unet = load_unet(model, modalities)
    if expert_folder is None:
        unet = unet.requires_grad_(False).eval()
    else:
        unet = merge_adapter(unet, expert_folder, unet_name(model))
    return Denoiser(unet.to(device), device, choose_dtype(precision, device))

"""A base model with one expert, ready to predict."""

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from mosaicmr.device import autocast
from mosaicmr.diffusion.adapters import merge_adapter
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.unet import predict


@dataclass(frozen=True)
class Denoiser:
    """A frozen U-Net with its device and the dtype of its matrix products."""

    unet: UNet2DConditionModel
    device: torch.device
    dtype: torch.dtype

    @classmethod
    def load(cls, base: Base, expert: str | Path | None = None) -> "Denoiser":
        """The base's U-Net as it is, or a copy of it with the expert in a folder merged in; the base stays as it was.

        The merge happens on the CPU, so that it gives the same weights for every device. Raises InputError if the
        expert is missing or was trained on another base or other modalities.
        """
        unet = base.unet
        # Merging changes a U-Net. A deep copy costs less than reading the base again for the next expert.
        if expert is not None or base.device.type != "cpu":
            unet = copy.deepcopy(unet)
        if expert is not None:
            unet = merge_adapter(unet, expert, base.unet_name)
        return cls(unet.to(base.device), base.device, base.dtype)

    @torch.inference_mode()
    def __call__(self, latents: Tensor, timesteps: Tensor, embeddings: Tensor, mask: Tensor, layout: Tensor) -> Tensor:
        """Predict noise or velocity, as the model's schedule says: float32 [n, C, h, w], on the device of `latents`.

        latents: float [n, C, h, w]; timesteps: int64 [n]; embeddings: float [n, L, D]; mask: [n, L], nonzero on tokens;
        layout: float [n, 24, h, w]. They are brought to the model's device.
        """
        tensors = (tensor.to(self.device) for tensor in (latents.float(), timesteps, embeddings, mask, layout))
        with autocast(self.device, self.dtype):
            prediction = predict(self.unet, *tensors)
        return prediction.float().to(latents.device)

"""The base model's parts, whichever kind of model they come from: codec, U-Net and noise schedule."""

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from mosaicmr.diffusion.adapted import adapted_name, is_adapted, verify_adapted
from mosaicmr.diffusion.base_kind import is_bundled
from mosaicmr.diffusion.codec import Codec
from mosaicmr.diffusion.model_files import base_name, load_facts, load_part, silence
from mosaicmr.diffusion.regional_unet import RegionalUNet
from mosaicmr.diffusion.unet import inflate, select_modalities
from mosaicmr.errors import InputError
from mosaicmr.io import load_json

PREDICTIONS = ("epsilon", "v_prediction")

__all__ = ["base_name", "is_bundled", "load_codec", "load_noise_schedule", "load_unet", "unet_name"]


def load_codec(model: str | Path, device: torch.device | str = "cpu") -> Codec:
    """The codec of a bundled base, or of the autoencoder of a Stable Diffusion folder or hub id.

    Raises InputError if the model is missing, differs from its checksums, or cannot be read.
    """
    silence("diffusers")
    if is_bundled(model):
        load_facts(model)
        codec = Codec.bundled(model)
    else:
        codec = Codec.stable_diffusion(_load_network(AutoencoderKL, model, "vae"))
    codec.autoencoder.to(device)
    return codec


def load_unet(model: str | Path, modalities: Sequence[str], device: torch.device | str = "cpu") -> UNet2DConditionModel:
    """The base U-Net in float32, with input and output channels for `modalities` in that order, then the layout.

    model: as for `load_codec`, or the folder of an adapted base, whose U-Net is taken as it is. Raises InputError as
    `load_codec`, for a modality that a bundled base does not know, and for an adapted base of other modalities.
    """
    silence("diffusers")
    if is_adapted(model):
        verify_adapted(model, modalities)
        return _load_network(_unet_class(model), model, "unet").to(device)
    facts = load_facts(model) if is_bundled(model) else None
    unet = _load_network(_unet_class(model), model, "unet")
    if facts is None:
        unet = inflate(unet, len(modalities))
    else:
        unet = select_modalities(unet, facts["modalities"], modalities, facts["latent_channels"])
    return unet.to(device)


def unet_name(model: str | Path) -> str:
    """What to call the U-Net that `load_unet` gives, so that an expert of one is not taken for that of another."""
    return adapted_name(model) if is_adapted(model) else base_name(model)


def load_noise_schedule(model: str | Path) -> DDPMScheduler:
    """The noise schedule that the base model was trained with. Raises InputError as `load_codec`."""
    silence("diffusers")
    if is_bundled(model):
        load_facts(model)
    schedule = load_part(DDPMScheduler.from_pretrained, model, "scheduler")
    if schedule.config.prediction_type not in PREDICTIONS:
        raise InputError(
            f"The scheduler of base.model '{model}' predicts '{schedule.config.prediction_type}': expected one of "
            f"{', '.join(PREDICTIONS)}; name a model trained with one of these."
        )
    return schedule


def _unet_class(model: str | Path) -> type[UNet2DConditionModel]:
    """What the U-Net in a model's folder is an instance of; a Stable Diffusion model's is diffusers' own."""
    config = Path(model) / "unet" / "config.json"
    regional = config.is_file() and load_json(config).get("_class_name") == RegionalUNet.__name__
    return RegionalUNet if regional else UNet2DConditionModel


def _load_network(kind: type, model: str | Path, part: str):
    return load_part(kind.from_pretrained, model, part, use_safetensors=True, torch_dtype=torch.float32)

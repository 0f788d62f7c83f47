"""The base model, of whatever kind: codec, noise schedule, text encoder and U-Net."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from mosaicmr.device import choose_dtype
from mosaicmr.diffusion.adapted import load_adapted_facts
from mosaicmr.diffusion.base_kind import ORIGIN, is_bundled
from mosaicmr.diffusion.codec import Codec
from mosaicmr.diffusion.model_files import load_facts, load_part, silence
from mosaicmr.diffusion.regional_unet import RegionalUNet
from mosaicmr.diffusion.text import TextEncoder, load_text_encoder
from mosaicmr.diffusion.unet import inflate, select_modalities
from mosaicmr.errors import InputError
from mosaicmr.io import load_json

PREDICTIONS = ("epsilon", "v_prediction")


@dataclass(frozen=True)
class Base:
    """A base model whose files were verified once; each part is read at its first use and kept.

    model: a bundled base, a Stable Diffusion folder or a hub id. modalities: those of the U-Net's channels, in order.
    device: where codec, text encoder and experts compute. precision: as config key `base.precision`. facts: of a
    bundled base, None for Stable Diffusion. adapted: the folder of the adapted base whose U-Net stands in for the
    model's own, None for none; adapted_facts: its facts. Made by `open`.
    """

    model: str | Path
    modalities: tuple[str, ...]
    device: torch.device
    precision: str
    facts: Mapping[str, Any] | None
    adapted: Path | None
    adapted_facts: Mapping[str, Any] | None

    @classmethod
    def open(
        cls,
        model: str | Path,
        modalities: Sequence[str] | None = None,
        device: torch.device | str = "cpu",
        precision: str = "auto",
        unet: str | Path | None = None,
    ) -> "Base":
        """Find a base model and verify its files; no network is read yet.

        modalities: None takes all that a bundled or adapted base knows; a Stable Diffusion model knows none. unet: the
        folder of an adapted base, or None for the model's own U-Net. Raises InputError if the model or the adapted
        base is missing or differs from its checksums, or if the adapted base is for other modalities.
        """
        silence("diffusers")
        facts = load_facts(model) if is_bundled(model) else None
        adapted = None if unet is None else load_adapted_facts(unet, modalities)
        if modalities is None:
            modalities = (adapted or facts or {}).get("modalities", ())
        folder = None if unet is None else Path(unet)
        return cls(model, tuple(modalities), torch.device(device), precision, facts, folder, adapted)

    @property
    def bundled(self) -> bool:
        """Whether this is a bundled base rather than a Stable Diffusion model."""
        return self.facts is not None

    @property
    def name(self) -> str:
        """The base's name in outputs: its hub id, or a folder's own name without the path of this machine."""
        folder = Path(self.model)
        if (folder / ORIGIN).is_file():
            return load_json(folder / ORIGIN)["model"]
        return folder.resolve().name if folder.is_dir() else str(self.model)

    @property
    def unet_name(self) -> str:
        """The U-Net's name in outputs; an expert carries it, and is refused on any other U-Net."""
        return self.adapted_facts["name"] if self.adapted_facts else self.name

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of matrix products in inference."""
        return choose_dtype(self.precision, self.device)

    @cached_property
    def codec(self) -> Codec:
        """The codec, on the device. Raises InputError if it cannot be read, as the other parts do."""
        if self.bundled:
            codec = Codec.bundled(self.model)
        else:
            codec = Codec.stable_diffusion(_load_network(AutoencoderKL, self.model, "vae"))
        codec.autoencoder.to(self.device)
        return codec

    @cached_property
    def schedule(self) -> DDPMScheduler:
        """The noise schedule that the base model was trained with."""
        schedule = load_part(DDPMScheduler.from_pretrained, self.model, "scheduler")
        if schedule.config.prediction_type not in PREDICTIONS:
            raise InputError(
                f"The scheduler of base.model '{self.model}' predicts '{schedule.config.prediction_type}': expected "
                f"one of {', '.join(PREDICTIONS)}; name a model trained with one of these."
            )
        return schedule

    @cached_property
    def text_encoder(self) -> TextEncoder:
        """The text encoder, on the device."""
        return load_text_encoder(self.model, self.facts, self.device)

    @cached_property
    def unet(self) -> UNet2DConditionModel:
        """The U-Net, frozen, in float32 and on the CPU; experts are merged into copies of it (`Denoiser.load`)."""
        return self.load_unet().requires_grad_(False).eval()

    def load_unet(self) -> UNet2DConditionModel:
        """A U-Net to train, read anew: in float32, on the CPU, for the base's modalities in their order and a layout.

        Raises InputError if there is no modality, or if the bundled base does not know a modality.
        """
        if self.adapted is not None:
            return _load_unet(self.adapted)
        if not self.modalities:
            raise InputError(
                f"base.model '{self.model}' was opened without modalities, and a Stable Diffusion model knows none: "
                "name them."
            )
        if self.facts is None:
            return inflate(_load_unet(self.model), len(self.modalities))
        known, channels = self.facts["modalities"], self.facts["latent_channels"]
        return select_modalities(_load_unet(self.model), known, self.modalities, channels)


def _load_unet(folder: str | Path) -> UNet2DConditionModel:
    """The U-Net in a folder, with the channels that it has there: a bundled base's own kind, or diffusers' own."""
    config = Path(folder) / "unet" / "config.json"
    regional = config.is_file() and load_json(config).get("_class_name") == RegionalUNet.__name__
    return _load_network(RegionalUNet if regional else UNet2DConditionModel, folder, "unet")


def _load_network(kind: type, model: str | Path, part: str):
    return load_part(kind.from_pretrained, model, part, use_safetensors=True, torch_dtype=torch.float32)

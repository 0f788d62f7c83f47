"""From simulated anatomy to the bundled base model: bank, autoencoder, latents, U-Net, and the folder that ships."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from mosaicmr.cohort.anatomy import load_anatomy
from mosaicmr.cohort.contrast import SEQUENCES
from mosaicmr.diffusion.bank import BankSettings, build_bank, load_bank
from mosaicmr.diffusion.bank_conditions import SIMULATED_CLASSES, condition_shard
from mosaicmr.diffusion.codec import Codec
from mosaicmr.diffusion.conditioning import LAYOUT_CHANNELS, encode_layout
from mosaicmr.diffusion.patch_transform import PatchTransform, fit_patch_transform
from mosaicmr.diffusion.pretrain_autoencoder import UNSHUFFLE, AutoencoderSettings, train_autoencoder
from mosaicmr.diffusion.pretrain_unet import UNetData, UNetSettings, build_schedule, train_unet
from mosaicmr.diffusion.text import BUNDLED_ENCODER, TextEncoder, embed_prompts
from mosaicmr.io import load_arrays, load_json, save_arrays, save_json, save_table
from mosaicmr.seeds import numpy_generator
from mosaicmr.stage import progress

logger = logging.getLogger("mosaicmr")

MODALITIES = tuple(SEQUENCES)
PROMPTS_PER_SLICE = 2


@dataclass(frozen=True)
class PretrainingSettings:
    """All of pretraining: the banks (fine for the autoencoder alone, working for both) and the two networks."""

    fine: BankSettings
    working: BankSettings
    autoencoder: AutoencoderSettings
    unet: UNetSettings


def settings_from(config: dict) -> PretrainingSettings:
    """Settings from the config's `pretrain` section."""
    parts = {
        "autoencoder": AutoencoderSettings(
            **config["autoencoder"] | {"widths": tuple(config["autoencoder"]["widths"])}
        ),
        "unet": UNetSettings(**config["unet"] | {"widths": tuple(config["unet"]["widths"])}),
    }
    banks = {name: BankSettings(**config[name]) for name in ("fine", "working")}
    return PretrainingSettings(**banks, **parts)


def pretrain(
    settings: PretrainingSettings, encode_text: TextEncoder, seed: int, work: Path, folder: Path, device: str = "cpu"
) -> None:
    """Pretrain in `work`, where checkpoints let a killed run go on, and write the base model to `folder`.

    Whatever is found in `work` is taken as made by the same code, settings and seed: give others a folder of their own.
    """
    anatomy = load_anatomy()
    fine = build_bank(anatomy, settings.fine, seed, work / "fine")
    working = build_bank(anatomy, settings.working, seed, work / "working")
    images = load_bank([*fine, *working])["images"]
    side = UNSHUFFLE * 2 ** (len(settings.autoencoder.widths) - 1)
    transform = fit_patch_transform(images, settings.autoencoder.latent_channels, side)
    autoencoder, autoencoder_curve = train_autoencoder(
        images, transform, settings.autoencoder, seed, work / "autoencoder.safetensors", device
    )
    del images
    codec = normalised_codec(autoencoder, transform, load_bank(working[:1])["images"])
    condition_bank(working, settings.working.pixel_size, seed)
    data = build_unet_data(working, codec, encode_text, work / "latents")
    unet, unet_curve = train_unet(data, settings.unet, seed, work / "unet.safetensors", device)
    save_base(folder, codec, unet)
    save_table(folder / "training" / "autoencoder.parquet", autoencoder_curve)
    save_table(folder / "training" / "unet.parquet", unet_curve)


@torch.no_grad()
def normalised_codec(autoencoder: AutoencoderKL, transform: PatchTransform, images: np.ndarray) -> Codec:
    """The codec whose latents have zero mean and unit variance over slices uint8 [n, M, H, W], channel by channel."""
    channels = transform.channels
    raw = Codec(autoencoder, UNSHUFFLE, 1, torch.zeros(channels), torch.ones(channels), transform)
    batches = [torch.from_numpy(images[i : i + 16]).float() / 255 for i in range(0, len(images), 16)]
    latents = torch.cat([raw.encode(batch)[0].cpu() for batch in batches])
    latents = latents.reshape(-1, channels, *latents.shape[2:])
    return replace(raw, mean=latents.mean((0, 2, 3)), std=latents.std((0, 2, 3)))


def condition_bank(paths: Sequence[Path], pixel_size: float, seed: int) -> None:
    """Write the domain maps and prompts of the bank's shards, where they are missing, beside them."""
    for path in progress(paths, len(paths), "partitioning simulated slices"):
        conditions = _conditions_of(path)
        if conditions.with_suffix(".json").exists():
            continue
        shard = load_bank([path], ("images", "labels", "brain", "level"))
        generator = numpy_generator(seed, "conditions", path.name)
        arrays, prompts = condition_shard(shard, pixel_size, generator, MODALITIES, PROMPTS_PER_SLICE)
        save_arrays(conditions, arrays)
        save_json(conditions.with_suffix(".json"), prompts)


def _conditions_of(path: Path) -> Path:
    return path.with_name(f"conditions-{path.name}")


def build_unet_data(paths: Sequence[Path], codec: Codec, encode_text: TextEncoder, cache: Path) -> UNetData:
    """The U-Net's training set of the bank's shards; latents are cached in `cache`, encoded once."""
    latents, layouts, present, prompts = [], [], [], []
    for path in progress(paths, len(paths), "encoding simulated slices"):
        cached = cache / path.name
        if not cached.exists():
            save_arrays(cached, {"latents": _encode(load_bank([path])["images"], codec)})
        conditions = load_arrays(_conditions_of(path))
        latents.append(torch.from_numpy(load_arrays(cached)["latents"]))
        layouts.append(_layouts(conditions["domains"], conditions["healthy"], codec.factor))
        present.append(torch.from_numpy(conditions["present"]).bool())
        prompts += load_json(_conditions_of(path).with_suffix(".json"))
    unique = sorted({prompt for drawn in prompts for prompt in drawn})
    row = {prompt: index + 1 for index, prompt in enumerate(unique)}
    embeddings, mask = embed_prompts(encode_text, unique)
    rows = torch.tensor([[row[prompt] for prompt in drawn] for drawn in prompts])
    return UNetData(torch.cat(latents), torch.cat(layouts), torch.cat(present), rows, embeddings, mask)


def _encode(images: np.ndarray, codec: Codec) -> np.ndarray:
    batches = [torch.from_numpy(images[i : i + 16]).float() / 255 for i in range(0, len(images), 16)]
    return torch.cat([codec.encode(batch)[0].cpu() for batch in batches]).half().numpy()


def _layouts(domains: np.ndarray, healthy: np.ndarray, factor: int) -> torch.Tensor:
    classes = [tumour.value for tumour in SIMULATED_CLASSES]
    maps = [encode_layout(one[None], classes, int(count), factor) for one, count in zip(domains, healthy, strict=True)]
    return torch.cat(maps).half()


def save_base(folder: Path, codec: Codec, unet: UNet2DConditionModel) -> None:
    """Write a base model in diffusers' format, 16-bit, with the facts that a loader needs and its checksums."""
    codec.autoencoder.half().save_pretrained(folder / "vae")
    unet.half().save_pretrained(folder / "unet")
    build_schedule().save_pretrained(folder / "scheduler")
    weights = sorted(path for path in folder.glob("*/*") if path.suffix in (".safetensors", ".json"))
    facts = {
        "modalities": list(MODALITIES),
        "latent_channels": codec.channels,
        "pixel_unshuffle": codec.unshuffle,
        "layout_channels": LAYOUT_CHANNELS,
        "latent_mean": [round(float(value), 6) for value in codec.mean],
        "latent_std": [round(float(value), 6) for value in codec.std],
        "components": [[round(float(value), 6) for value in row] for row in codec.transform.components],
        "deviations": [round(float(value), 6) for value in codec.transform.deviations],
        "text_encoder": BUNDLED_ENCODER,
        "sha256": {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in weights},
    }
    save_json(folder / "mosaicmr.json", facts)

"""From simulated anatomy to the bundled base model: bank, autoencoder, latents, U-Net, and the folder that ships."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from mosaicmr.cohort.anatomy import load_anatomy
from mosaicmr.cohort.contrast import SEQUENCES
from mosaicmr.diffusion.appearance import AppearanceScale, measure_regions
from mosaicmr.diffusion.bank import BankSettings, build_bank, load_bank
from mosaicmr.diffusion.bank_conditions import SIMULATED_CLASSES, condition_shard
from mosaicmr.diffusion.codec import Codec
from mosaicmr.diffusion.conditioning import LAYOUT_CHANNELS, encode_layout
from mosaicmr.diffusion.look_reader import LookReader
from mosaicmr.diffusion.patch_transform import PatchTransform, fit_patch_transform
from mosaicmr.diffusion.pretrain_autoencoder import UNSHUFFLE, AutoencoderSettings, train_autoencoder
from mosaicmr.diffusion.pretrain_decoder import DecoderSettings, train_decoder
from mosaicmr.diffusion.pretrain_unet import UNetData, UNetSettings, build_schedule, start_unet, train_unet
from mosaicmr.diffusion.prompt_reader import FittedReader, ReaderSettings, fit_reader
from mosaicmr.diffusion.regional_unet import RegionalUNet
from mosaicmr.diffusion.text import BUNDLED_ENCODER, TextEncoder, embed_prompts
from mosaicmr.io import load_arrays, load_metadata, save_arrays, save_json, save_table
from mosaicmr.monitoring.journal import Journal
from mosaicmr.seeds import numpy_generator
from mosaicmr.stage import progress

MODALITIES = tuple(SEQUENCES)
PROMPTS_PER_SLICE = 2


@dataclass(frozen=True)
class PretrainingSettings:
    """All of pretraining: the banks of simulated slices by name, the networks, and the reader of the prompts."""

    banks: dict[str, BankSettings]
    autoencoder: AutoencoderSettings
    decoder: DecoderSettings
    reader: ReaderSettings
    unet: UNetSettings


def settings_from(config: dict) -> PretrainingSettings:
    """Settings from the config's `pretrain` section."""
    autoencoder, unet = (config[name] | {"widths": tuple(config[name]["widths"])} for name in ("autoencoder", "unet"))
    banks = {name: BankSettings(**bank) for name, bank in config["banks"].items()}
    return PretrainingSettings(
        banks,
        AutoencoderSettings(**autoencoder),
        DecoderSettings(**config["decoder"]),
        ReaderSettings(**config["reader"]),
        UNetSettings(**unet),
    )


def pretrain(
    settings: PretrainingSettings,
    encode_text: TextEncoder,
    seed: int,
    work: Path,
    folder: Path,
    device: str = "cpu",
    progress_folder: Path | None = None,
) -> None:
    """Pretrain in `work`, where checkpoints let a killed run go on, and write the base model to `folder`.

    Whatever is found in `work` is taken as made by the same code, settings and seed: give others a folder of their own.
    progress_folder: for the records of the trainings that `make progress` shows.
    """
    anatomy = load_anatomy()
    shards = {name: build_bank(anatomy, bank, seed, work / name) for name, bank in settings.banks.items()}
    codec, curves = _fit_codec(shards, settings, seed, work, device, progress_folder)
    banks = {name: bank for name, bank in settings.banks.items() if bank.unet}
    paths = {name: shards[name] for name in banks}
    scale = fit_appearance(paths, banks)
    reader = _prompt_reader(encode_text, settings.reader, seed, work)
    sets = build_unet_sets(paths, banks, codec, scale, encode_text, seed, work)
    with _journal("unet", progress_folder) as journal:
        start = start_unet(settings.unet, sets[0], reader.reader, seed)
        unet, curves["unet"] = train_unet(start, sets, settings.unet, seed, work / "unet.safetensors", device, journal)
    save_base(folder, codec, unet, scale, reader)
    for name, curve in curves.items():
        save_table(folder / "training" / f"{name}.parquet", curve)


def _fit_codec(
    shards: Mapping[str, Sequence[Path]],
    settings: PretrainingSettings,
    seed: int,
    work: Path,
    device: str,
    progress_folder: Path | None,
) -> tuple[Codec, dict[str, pd.DataFrame]]:
    """Train the autoencoder, then its decoder alone, on all banks of the smallest slices: batches are of one size.

    The first bank that the U-Net sees normalises the latents. Returns the codec, and the curves by name.
    """
    smallest = min(bank.size for bank in settings.banks.values())
    files = [file for name, bank in settings.banks.items() if bank.size == smallest for file in shards[name]]
    images = load_bank(files)["images"]
    side = UNSHUFFLE * 2 ** (len(settings.autoencoder.widths) - 1)
    transform = fit_patch_transform(images, settings.autoencoder.latent_channels, side)
    with _journal("autoencoder", progress_folder) as journal:
        checkpoint = work / "autoencoder.safetensors"
        autoencoder, curve = train_autoencoder(
            images, transform, settings.autoencoder, seed, checkpoint, device, journal
        )
    normal = next(shards[name][:1] for name, bank in settings.banks.items() if bank.unet)
    codec = normalised_codec(autoencoder, transform, load_bank(normal)["images"])
    with _journal("decoder", progress_folder) as journal:
        checkpoint = work / "decoder.safetensors"
        decoder_curve = train_decoder(images, codec, settings.decoder, seed, checkpoint, device, journal)
    return codec, {"autoencoder": curve, "decoder": decoder_curve}


def _prompt_reader(encode_text: TextEncoder, settings: ReaderSettings, seed: int, work: Path) -> FittedReader:
    """The reader, trained once: a pretraining that was killed finds it in `work`."""
    path = work / "prompt_reader.safetensors"
    if not path.exists():
        fitted = fit_reader(encode_text, settings, MODALITIES, seed)
        accuracy = {name: str(getattr(fitted, name)) for name in ("brightness", "texture")}
        save_arrays(path, {name: weight.numpy() for name, weight in fitted.reader.named_buffers()}, accuracy)
    weights = {name: torch.from_numpy(value) for name, value in load_arrays(path).items()}
    reader = LookReader(weights["projection"].shape[1], len(MODALITIES))
    reader.load_state_dict(weights)
    accuracy = load_metadata(path)
    return FittedReader(reader, float(accuracy["brightness"]), float(accuracy["texture"]))


def _journal(name: str, folder: Path | None) -> Journal:
    return Journal(name, folder / f"{name}.json" if folder else None)


@torch.no_grad()
def normalised_codec(autoencoder: AutoencoderKL, transform: PatchTransform, images: np.ndarray) -> Codec:
    """The codec whose latents have zero mean and, over all channels, unit variance on slices uint8 [n, M, H, W].

    A channel's standard deviation is proportional to the root of its component's in the pixels. Diffusion then settles
    what matters most first, as it does in images; with equal variances, fine detail would weigh as much as the tissue
    it sits in (compare Skorokhodov et al., ICML 2025, on latents with too much high frequency).
    """
    channels = transform.channels
    raw = Codec(autoencoder, UNSHUFFLE, 1, torch.zeros(channels), torch.ones(channels), transform)
    batches = [torch.from_numpy(images[i : i + 16]).float() / 255 for i in range(0, len(images), 16)]
    latents = torch.cat([raw.encode(batch)[0].cpu() for batch in batches])
    latents = latents.reshape(-1, channels, *latents.shape[2:])
    weights = transform.deviations.sqrt() / transform.deviations.mean().sqrt()
    return replace(raw, mean=latents.mean((0, 2, 3)), std=latents.std((0, 2, 3)) / weights)


def fit_appearance(paths: Mapping[str, Sequence[Path]], banks: Mapping[str, BankSettings]) -> AppearanceScale:
    """What the words on a tumour's look mean to the base: thirds over all slices of the U-Net's banks."""
    regions = []
    for name, files in paths.items():
        arrays = load_bank(list(files), ("images", "labels"))
        for images, labels in zip(arrays["images"], arrays["labels"], strict=True):
            regions.append(measure_regions(images / 255.0, labels, MODALITIES, banks[name].pixel_size))
    return AppearanceScale.fit(regions)


def build_unet_sets(
    paths: Mapping[str, Sequence[Path]],
    banks: Mapping[str, BankSettings],
    codec: Codec,
    scale: AppearanceScale,
    encode_text: TextEncoder,
    seed: int,
    work: Path,
) -> list[UNetData]:
    """The U-Net's training sets, one for each size of slices; what each shard needs is computed once, beside it."""
    parts: dict[int, list[dict[str, torch.Tensor]]] = {}
    for name, files in paths.items():
        for path in progress(files, len(files), f"preparing {name}"):
            prepared = work / "prepared" / name / path.name
            if not prepared.exists():
                generator = numpy_generator(seed, "conditions", name, path.name)
                save_arrays(prepared, prepare_shard(path, banks[name], codec, scale, encode_text, generator))
            arrays = {key: torch.from_numpy(value) for key, value in load_arrays(prepared).items()}
            parts.setdefault(banks[name].size, []).append(arrays)
    return [join_shards(shards) for _, shards in sorted(parts.items())]


def prepare_shard(
    path: Path,
    bank: BankSettings,
    codec: Codec,
    scale: AppearanceScale,
    encode_text: TextEncoder,
    generator: np.random.Generator,
) -> dict[str, np.ndarray]:
    """What the U-Net sees of one shard: the arrays of `UNetData` by name."""
    shard = load_bank([path], ("images", "labels", "brain", "level"))
    view = (bank.pixel_size, bank.random_contrast, scale, generator, MODALITIES, PROMPTS_PER_SLICE)
    conditions, prompts = condition_shard(shard, *view)
    unique = sorted({prompt for drawn in prompts for prompt in drawn})
    row = {prompt: index + 1 for index, prompt in enumerate(unique)}
    embeddings, mask = embed_prompts(encode_text, unique)
    longest = int(mask.sum(1).max())
    return {
        "latents": _encode(shard["images"], codec),
        "layout": _layouts(conditions["domains"], conditions["healthy"], codec.factor).numpy(),
        "present": conditions["present"].astype(bool),
        "prompt": np.array([[row[prompt] for prompt in drawn] for drawn in prompts]),
        "embeddings": embeddings[:, :longest].numpy(),
        "mask": mask[:, :longest].numpy(),
    }


def join_shards(shards: list[dict[str, torch.Tensor]]) -> UNetData:
    """One training set of several shards; the empty prompt, which each has in row 0, is kept once.

    Takes the tensors out of `shards`, so that they are not in memory twice.
    """
    rows, starts = [], [0]
    for shard in shards:
        rows.append(shard["prompt"] + starts[-1])
        starts.append(starts[-1] + len(shard["embeddings"]) - 1)
    longest = max(shard["mask"].shape[1] for shard in shards)
    texts = {}
    for name in ("embeddings", "mask"):
        example = shards[0][name]
        texts[name] = example.new_zeros(starts[-1] + 1, longest, *example.shape[2:])
        texts[name][0, : example.shape[1]] = example[0]
        for shard, start in zip(shards, starts[:-1], strict=True):
            part = shard.pop(name)
            texts[name][start + 1 : start + len(part), : part.shape[1]] = part[1:]
    stacked = {name: torch.cat([shard.pop(name) for shard in shards]) for name in ("latents", "layout", "present")}
    return UNetData(**stacked, prompt=torch.cat(rows), **texts)


def _encode(images: np.ndarray, codec: Codec) -> np.ndarray:
    batches = [torch.from_numpy(images[i : i + 16]).float() / 255 for i in range(0, len(images), 16)]
    return torch.cat([codec.encode(batch)[0].cpu() for batch in batches]).half().numpy()


def _layouts(domains: np.ndarray, healthy: np.ndarray, factor: int) -> torch.Tensor:
    classes = [tumour.value for tumour in SIMULATED_CLASSES]
    maps = [encode_layout(one[None], classes, int(count), factor) for one, count in zip(domains, healthy, strict=True)]
    return torch.cat(maps).half()


def save_base(folder: Path, codec: Codec, unet: RegionalUNet, scale: AppearanceScale, reader: FittedReader) -> None:
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
        "appearance": scale.records(),
        "text_encoder": BUNDLED_ENCODER,
        "reader_accuracy": {"brightness": round(reader.brightness, 4), "texture": round(reader.texture, 4)},
        "sha256": {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in weights},
    }
    save_json(folder / "mosaicmr.json", facts)

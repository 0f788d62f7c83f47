"""From simulated anatomy to the bundled base model: banks, autoencoder, latents, U-Net, and the folder that ships."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch

from mosaicmr.diffusion.base_kind import FACTS
from mosaicmr.diffusion.codec import Codec
from mosaicmr.diffusion.conditioning import LAYOUT_CHANNELS
from mosaicmr.diffusion.look_reader import LookReader
from mosaicmr.diffusion.model_files import seal_facts
from mosaicmr.diffusion.regional_unet import RegionalUNet
from mosaicmr.diffusion.text import BUNDLED_ENCODER, TextEncoder
from mosaicmr.errors import InputError
from mosaicmr.io import load_arrays, load_metadata, save_arrays, save_json, save_table
from mosaicmr.monitoring.journal import Journal
from mosaicmr.pretraining.autoencoder import UNSHUFFLE, AutoencoderSettings, train_autoencoder
from mosaicmr.pretraining.bank import BankSettings, build_bank, load_bank
from mosaicmr.pretraining.codec import fit_patch_transform, normalised_codec
from mosaicmr.pretraining.decoder import DecoderSettings, train_decoder
from mosaicmr.pretraining.prompt_reader import FittedReader, ReaderSettings, fit_reader
from mosaicmr.pretraining.unet import UNetSettings, build_schedule, start_unet, train_unet
from mosaicmr.pretraining.unet_sets import MODALITIES, Material, build_unet_sets, seen_in
from mosaicmr.prompts.looks import LookScale, measure_regions
from mosaicmr.simulation.anatomy import load_anatomy


@dataclass(frozen=True)
class RefinementSettings:
    """The U-Net's last training, otherwise as `UNetSettings` say.

    free_looks: share of the slices of simulated patients on which the tumour's looks are drawn anew.
    """

    steps: int
    learning_rate: float
    tumour_weight: float
    free_looks: float

    def applied_to(self, unet: UNetSettings) -> UNetSettings:
        """The settings of the U-Net's first training with those of the last."""
        return replace(unet, steps=self.steps, learning_rate=self.learning_rate, tumour_weight=self.tumour_weight)


@dataclass(frozen=True)
class PretrainingSettings:
    """All of pretraining: the banks of simulated slices by name, the networks, and the reader of the prompts."""

    banks: dict[str, BankSettings]
    autoencoder: AutoencoderSettings
    decoder: DecoderSettings
    reader: ReaderSettings
    unet: UNetSettings
    refinement: RefinementSettings


def settings_from(config: dict) -> PretrainingSettings:
    """Settings from the config's `pretrain` section. Raises InputError if its sizes do not fit one another."""
    autoencoder, unet = (config[name] | {"widths": tuple(config[name]["widths"])} for name in ("autoencoder", "unet"))
    banks = {name: BankSettings(**bank | {"trains": tuple(bank["trains"])}) for name, bank in config["banks"].items()}
    settings = PretrainingSettings(
        banks,
        AutoencoderSettings(**autoencoder),
        DecoderSettings(**config["decoder"]),
        ReaderSettings(**config["reader"]),
        UNetSettings(**unet),
        RefinementSettings(**config["refinement"]),
    )
    _require_fitting_sizes(settings)
    return settings


def _require_fitting_sizes(settings: PretrainingSettings) -> None:
    side = _patch_side(settings)
    channels = settings.autoencoder.latent_channels
    if channels > side**2:
        raise InputError(
            f"The key 'pretrain.autoencoder.latent_channels' is {channels}, but a latent stands for {side}x{side} "
            f"pixels: expected at most {side**2}; lower it, or add one of 'pretrain.autoencoder.widths'."
        )
    smallest = side * 2 ** (len(settings.unet.widths) - 1)
    for name, bank in settings.banks.items():
        if bank.size % smallest:
            raise InputError(
                f"The key 'pretrain.banks.{name}.size' is {bank.size}, but the networks halve a slice until one pixel "
                f"stands for {smallest}: expected a multiple of {smallest}; change it, or leave out "
                "widths of the networks."
            )


def _patch_side(settings: PretrainingSettings) -> int:
    """Side in pixels of the patch that a latent stands for."""
    return UNSHUFFLE * 2 ** (len(settings.autoencoder.widths) - 1)


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

    Files in `work` are taken as made by the same code, settings and seed: give others a folder of their own.
    progress_folder: for the records of the trainings that `make progress` shows.
    """
    anatomy = load_anatomy()
    shards = {name: build_bank(anatomy, bank, seed, work / name) for name, bank in settings.banks.items()}
    codec, curves = _fit_codec(shards, settings, seed, work, device, progress_folder)
    scale = fit_looks(seen_in("unet", shards, settings.banks), settings.banks)
    reader = _prompt_reader(encode_text, settings.reader, seed, work, progress_folder)
    material = Material(shards, settings.banks, codec, scale, encode_text, seed, work)

    def train(name: str, unet_settings: UNetSettings, unet: RegionalUNet | None, free_looks: float) -> RegionalUNet:
        sets = build_unet_sets(material, name, free_looks)
        unet = unet or start_unet(unet_settings, sets[0], reader.reader, seed)
        checkpoint = work / f"{name}.safetensors"
        with _journal(name, progress_folder) as journal:
            unet, curves[name] = train_unet(unet, sets, unet_settings, seed, checkpoint, device, journal)
        return unet

    unet = train("unet", settings.unet, None, free_looks=0)
    last = settings.refinement
    unet = train("refinement", last.applied_to(settings.unet), unet, last.free_looks)
    save_base(folder, codec, unet, scale, reader)
    for name, curve in curves.items():
        save_table(folder / "training" / f"{name}.parquet", curve)


def _fit_codec(
    shards: Mapping[str, list[Path]],
    settings: PretrainingSettings,
    seed: int,
    work: Path,
    device: str,
    progress_folder: Path | None,
) -> tuple[Codec, dict[str, pd.DataFrame]]:
    """Train the autoencoder, then its decoder alone.

    The first shard of the first bank, by name, that the U-Net sees normalises the latents. Returns the codec, and the
    curves by name.
    """
    files = seen_in("autoencoder", shards, settings.banks).values()
    images = load_bank([file for bank in files for file in bank])["images"]
    transform = fit_patch_transform(images, settings.autoencoder.latent_channels, _patch_side(settings))
    with _journal("autoencoder", progress_folder) as journal:
        checkpoint = work / "autoencoder.safetensors"
        autoencoder, curve = train_autoencoder(
            images, transform, settings.autoencoder, seed, checkpoint, device, journal
        )
    normal = next(iter(seen_in("unet", shards, settings.banks).values()))[:1]
    codec = normalised_codec(autoencoder, transform, load_bank(normal)["images"])
    with _journal("decoder", progress_folder) as journal:
        checkpoint = work / "decoder.safetensors"
        decoder_curve = train_decoder(images, codec, settings.decoder, seed, checkpoint, device, journal)
    return codec, {"autoencoder": curve, "decoder": decoder_curve}


def _prompt_reader(
    encode_text: TextEncoder, settings: ReaderSettings, seed: int, work: Path, progress_folder: Path | None
) -> FittedReader:
    """The reader, trained once: a pretraining that was killed finds it in `work`."""
    path = work / "prompt_reader.safetensors"
    if not path.exists():
        with _journal("reader", progress_folder) as journal:
            fitted = fit_reader(encode_text, settings, MODALITIES, seed, work / "reader.safetensors", journal)
        accuracy = {name: str(getattr(fitted, name)) for name in ("brightness", "texture")}
        save_arrays(path, {name: weight.numpy() for name, weight in fitted.reader.named_buffers()}, accuracy)
    weights = {name: torch.from_numpy(value) for name, value in load_arrays(path).items()}
    reader = LookReader(weights["projection"].shape[1], len(MODALITIES))
    reader.load_state_dict(weights)
    accuracy = load_metadata(path)
    return FittedReader(reader, float(accuracy["brightness"]), float(accuracy["texture"]))


def _journal(name: str, folder: Path | None) -> Journal:
    return Journal(name, folder / f"{name}.json" if folder else None)


def fit_looks(paths: Mapping[str, list[Path]], banks: Mapping[str, BankSettings]) -> LookScale:
    """The meaning of the words on a tumour's look to the base: thirds over all slices of the U-Net's banks."""
    regions = []
    for name, files in paths.items():
        arrays = load_bank(files, ("images", "labels"))
        for images, labels in zip(arrays["images"], arrays["labels"], strict=True):
            regions.append(measure_regions(images / 255.0, labels, MODALITIES, banks[name].pixel_size))
    return LookScale.fit(regions)


def save_base(folder: Path, codec: Codec, unet: RegionalUNet, scale: LookScale, reader: FittedReader) -> None:
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
        "looks": scale.records(),
        "text_encoder": BUNDLED_ENCODER,
        "reader_accuracy": {"brightness": round(reader.brightness, 4), "texture": round(reader.texture, 4)},
        "sha256": {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in weights},
    }
    save_json(folder / FACTS, seal_facts(facts))

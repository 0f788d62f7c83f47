"""Training sets of the U-Net, from the banks: latents, layouts and prompts, prepared once for each shard."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mosaicmr.diffusion.codec import Codec
from mosaicmr.diffusion.conditioning import encode_layout
from mosaicmr.diffusion.text import TextEncoder, embed_prompts
from mosaicmr.io import load_arrays, save_arrays
from mosaicmr.pretraining.bank import BankSettings, load_bank
from mosaicmr.pretraining.conditions import SIMULATED_CLASSES, condition_shard
from mosaicmr.pretraining.free_looks import free_some_looks
from mosaicmr.pretraining.unet import UNetData
from mosaicmr.prompts.looks import LookScale
from mosaicmr.seeds import numpy_generator
from mosaicmr.simulation.contrast import SEQUENCES
from mosaicmr.stage import progress

MODALITIES = tuple(SEQUENCES)
PROMPTS_PER_SLICE = 2


@dataclass(frozen=True)
class Material:
    """Sources of the U-Net's training sets: the shards of each bank, and the means to turn them into input."""

    shards: dict[str, list[Path]]
    banks: dict[str, BankSettings]
    codec: Codec
    scale: LookScale
    encode_text: TextEncoder
    seed: int
    work: Path


def seen_in(
    training: str, shards: Mapping[str, list[Path]], banks: Mapping[str, BankSettings]
) -> dict[str, list[Path]]:
    """The shards of the banks that a training sees."""
    return {name: files for name, files in shards.items() if training in banks[name].trains}


def build_unet_sets(material: Material, training: str, free_looks: float) -> list[UNetData]:
    """The sets of a training of the U-Net, one for each size of slices; each shard is prepared once.

    free_looks: share of the slices of simulated patients on which the tumour's looks are drawn anew.
    """
    parts: dict[int, list[dict[str, torch.Tensor]]] = {}
    for name, files in seen_in(training, material.shards, material.banks).items():
        bank = material.banks[name]
        share = free_looks if bank.source == "patients" else 0
        folder = material.work / ("free_looks" if share else "prepared") / name
        for path in progress(files, len(files), f"preparing {name}"):
            prepared = folder / path.name
            if not prepared.exists():
                save_arrays(prepared, prepare_shard(path, name, material, share))
            arrays = {key: torch.from_numpy(value) for key, value in load_arrays(prepared).items()}
            parts.setdefault(bank.size, []).append(arrays)
    return [join_shards(shards) for _, shards in sorted(parts.items())]


def prepare_shard(path: Path, name: str, material: Material, free_looks: float) -> dict[str, np.ndarray]:
    """The arrays of `UNetData`, by name, from one shard of a bank."""
    bank, codec = material.banks[name], material.codec
    shard = load_bank([path], ("images", "labels", "brain", "height"))
    if free_looks:
        generator = numpy_generator(material.seed, "free looks", name, path.name)
        free_some_looks(shard, MODALITIES, bank.pixel_size, material.scale, free_looks, generator)
    generator = numpy_generator(material.seed, "conditions", name, path.name)
    view = (bank.pixel_size, bank.random_contrast, material.scale, generator, MODALITIES, PROMPTS_PER_SLICE)
    conditions, prompts = condition_shard(shard, *view)
    unique = sorted({prompt for drawn in prompts for prompt in drawn})
    row = {prompt: index + 1 for index, prompt in enumerate(unique)}
    embeddings, mask = embed_prompts(material.encode_text, unique)
    longest = int(mask.sum(1).max())
    return {
        "latents": _encode(shard["images"], codec),
        "layout": _layouts(conditions["domains"], conditions["healthy"], codec.downsampling).numpy(),
        "present": conditions["present"].astype(bool),
        "prompt": np.array([[row[prompt] for prompt in drawn] for drawn in prompts]),
        "embeddings": embeddings[:, :longest].numpy(),
        "mask": mask[:, :longest].numpy(),
    }


def join_shards(shards: list[dict[str, torch.Tensor]]) -> UNetData:
    """One training set of several shards; the empty prompt, in row 0 of each, is kept once.

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


def _layouts(domains: np.ndarray, healthy: np.ndarray, downsampling: int) -> torch.Tensor:
    classes = [tumour.value for tumour in SIMULATED_CLASSES]
    maps = [
        encode_layout(one[None], classes, int(count), downsampling) for one, count in zip(domains, healthy, strict=True)
    ]
    return torch.cat(maps).half()

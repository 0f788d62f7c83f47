"""Fetch a base model from the Hugging Face hub: once, at a pinned commit, and only the files that are read.

A published Stable Diffusion has the same weights several times over: in full and half precision, with and without the
moving average, as safetensors and as pickles. Only one copy is fetched, and never a pickle.
"""

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HTTPError
from huggingface_hub.hf_api import RepoFile

from mosaicmr.diffusion.base_kind import INDEX, ORIGIN
from mosaicmr.errors import InputError
from mosaicmr.io import save_json

logger = logging.getLogger(__name__)

WEIGHTS = {"vae": "diffusion_pytorch_model", "unet": "diffusion_pytorch_model", "text_encoder": "model"}
SETTINGS = ("scheduler", "tokenizer")  # parts without weights


def fetch_snapshot(model: str, revision: str, folder: str | Path) -> None:
    """Fetch the Stable Diffusion model `model` (owner/name) at the commit `revision` into `folder`.

    The folder appears only when all files are there and their checksums fit. An interrupted fetch goes on where it
    stopped.
    A token for models behind a licence is taken from HF_TOKEN or from `hf auth login`. Raises InputError if the hub
    cannot be reached, does not have that model or commit, or has no safetensors of a part.
    """
    folder = Path(folder)
    partial = folder.with_name(f".partial-{folder.name}")
    try:
        listed = HfApi().list_repo_tree(model, revision=revision, recursive=True)
        files = {entry.path: entry for entry in listed if isinstance(entry, RepoFile)}
        names = files_to_fetch(files)
        size = sum(files[name].size for name in names) / 1e9
        logger.info("fetching %d files of %s, %.2f GB", len(names), model, size)
        snapshot_download(model, revision=revision, local_dir=partial, allow_patterns=names)
    except (OSError, HTTPError) as error:
        cause = " ".join(str(error).split())[:200].rstrip(" .:")
        raise InputError(
            f"base.model is the hub id '{model}' at the commit {revision}, which cannot be fetched ({cause}): correct "
            "base.model and base.revision, run Snakemake where the hub can be reached, or name a folder."
        ) from error
    checksums = {name: files[name].lfs.sha256 for name in names if files[name].lfs}
    _verify(partial, checksums)
    shutil.rmtree(partial / ".cache", ignore_errors=True)  # the hub library's notes for going on
    save_json(partial / ORIGIN, {"model": model, "revision": revision, "sha256": checksums})
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)  # the rest of a model whose record was deleted
    os.replace(partial, folder)


def files_to_fetch(names: Iterable[str]) -> list[str]:
    """Choose, from all files of a Stable Diffusion model, those that are read; sorted.

    Weights are taken in full precision where it was published, else in half precision. Raises InputError if a part is
    missing or has no safetensors.
    """
    names = sorted(names)
    chosen = [name for name in names if name == INDEX]
    for part in SETTINGS:
        chosen += _required(part, [name for name in names if re.fullmatch(rf"{part}/[^/]+\.(json|txt)", name)])
    for part, stem in WEIGHTS.items():
        weights = [name for name in names if re.fullmatch(_weights_pattern(part, stem), name)]
        full = [name for name in weights if "fp16" not in name]
        chosen += [f"{part}/config.json", *_required(part, full or weights)]
    return sorted(chosen)


def _weights_pattern(part: str, stem: str) -> str:
    # One file, or shards with their index.
    return rf"{part}/{stem}(\.fp16)?(-\d+-of-\d+)?(\.fp16)?\.safetensors(\.index(\.fp16)?\.json)?"


def _required(part: str, names: list[str]) -> list[str]:
    if not names:
        raise InputError(
            f"The model that base.model names has nothing readable in its part '{part}': name a Stable Diffusion model "
            "that was saved by diffusers as safetensors."
        )
    return names


def _verify(folder: Path, checksums: Mapping[str, str]) -> None:
    for name, expected in checksums.items():
        with (folder / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            (folder / name).unlink()
            raise InputError(
                f"{name} arrived with the SHA-256 {found[:16]}..., but the hub says {expected[:16]}...: fetch it again."
            )

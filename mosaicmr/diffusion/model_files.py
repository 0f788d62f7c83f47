"""Reading of a base model's parts, from the bundled folder, a Stable Diffusion folder or a Hugging Face hub id.

A bundled folder has a mosaicmr.json, which also lists the SHA-256 of every file. Weights are read from
safetensors only, from a folder without asking the network, and never by running code that came with a model.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError

from mosaicmr.diffusion.base_kind import EXPECTED, FACTS
from mosaicmr.errors import InputError
from mosaicmr.io import digest_of, load_json

PARTS = ("vae", "unet", "scheduler")  # the subfolders of a bundled base that are read
SEAL = "sha256_of_facts"  # key of mosaicmr.json
_FACT_KEYS = (
    "modalities",
    "latent_channels",
    "pixel_unshuffle",
    "layout_channels",
    "latent_mean",
    "latent_std",
    "components",
    "deviations",
    "looks",
    "text_encoder",
    "sha256",
    SEAL,
)

Part = TypeVar("Part")


def load_facts(folder: str | Path) -> dict[str, Any]:
    """Read mosaicmr.json, and verify its own SHA-256 and that of every file of the bundled base.

    Raises InputError if the JSON lacks a key or was changed, or if a file is missing, differs, or is not listed.
    """
    folder = Path(folder)
    facts = load_json(folder / FACTS)
    missing = [key for key in _FACT_KEYS if key not in facts]
    if missing:
        raise InputError(
            f"{folder / FACTS} lacks the key '{missing[0]}': restore the bundled base; a base of your own is of an "
            "older version, so pretrain it again."
        )
    if seal_facts(facts)[SEAL] != facts[SEAL]:
        raise InputError(f"{folder / FACTS} was changed after the base was written: restore the bundled base.")
    verify_files(folder, FACTS, facts["sha256"], "restore the bundled base")
    for part in PARTS:
        for path in sorted((folder / part).rglob("*")):
            if path.is_file() and path.relative_to(folder).as_posix() not in facts["sha256"]:
                raise InputError(f"{path} is not listed in {FACTS}: remove it, or restore the bundled base.")
    return facts


def seal_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Add to the facts of a bundled base a SHA-256 of all others.

    A change of the meaning of latents must be noticed as surely as a change of the weights.
    """
    others = {key: value for key, value in facts.items() if key != SEAL}
    return others | {SEAL: digest_of(others)}


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_files(folder: Path, listed_in: str, digests: Mapping[str, str], remedy: str) -> None:
    """Raise InputError if one of the files of a folder, by relative path, is missing or has another SHA-256."""
    for name, expected in sorted(digests.items()):
        path = folder / name
        if not path.is_file():
            raise InputError(f"{path} is missing, though {listed_in} lists it: {remedy}.")
        found = digest(path)
        if found != expected:
            raise InputError(
                f"{path} has the SHA-256 {found[:16]}..., but {listed_in} says {expected[:16]}...: {remedy}."
            )


def load_part(load: Callable[..., Part], model: str | Path, subfolder: str, **options: Any) -> Part:
    """Call a `from_pretrained` on one subfolder of a model; a folder is read without asking the network.

    Weights that were published in half precision only are read so. Raises InputError if the part is not there or cannot
    be read.
    """
    options |= {"subfolder": subfolder, "local_files_only": Path(model).is_dir()}
    attempts = [{}, {"variant": "fp16"}] if options.get("use_safetensors") else [{}]
    errors = []
    for variant in attempts:
        try:
            return load(str(model), **options, **variant)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            errors.append(error)
    cause = " ".join(str(errors[0]).split())[:200].rstrip(" .:")
    raise InputError(
        f"base.model is '{model}', but its part '{subfolder}' cannot be read from safetensors ({cause}): "
        f"name {EXPECTED}."
    ) from errors[0]


def silence(*libraries: str) -> None:
    """Keep diffusers' or transformers' own messages and progress bars out of the log of a stage."""
    import importlib

    for library in libraries:
        own = importlib.import_module(f"{library}.utils.logging")
        own.set_verbosity_error()
        own.disable_progress_bar()
        logging.getLogger(library).propagate = False

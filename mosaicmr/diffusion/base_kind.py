"""Kinds of base model: a bundled base, a Stable Diffusion folder, or a hub id with its place on disk; loads nothing."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mosaicmr.errors import InputError

ORIGIN = "origin.json"  # in the folder of a fetched model: its hub id, commit and checksums
FACTS = "mosaicmr.json"  # marks the folder of a bundled base
INDEX = "model_index.json"  # marks a folder that diffusers saved
EXPECTED = (
    "a bundled base (a folder with mosaicmr.json), a Stable Diffusion folder saved by diffusers (with "
    "model_index.json) or a hub id owner/name"
)
_HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*", re.ASCII)


def is_hub_id(model: str | Path) -> bool:
    """Whether `model` is a hub id: it has the form owner/name, and neither it nor its parent is a folder.

    'models/base' has that form too. Where models/ exists, a folder is missing there, which is no reason to go online.
    """
    folder = Path(model)
    return not folder.is_dir() and not folder.parent.is_dir() and bool(_HUB_ID.fullmatch(str(model)))


def require_base(model: str | Path) -> None:
    """Raise InputError if `model` is neither the folder of a base model nor a hub id."""
    folder = Path(model)
    if folder.is_dir():
        if not any((folder / name).is_file() for name in (FACTS, INDEX)):
            raise InputError(
                f"base.model is the folder '{model}', which has neither {FACTS} nor {INDEX}: name {EXPECTED}."
            )
    elif not is_hub_id(model):
        raise InputError(f"base.model is '{model}', and there is no such folder: name {EXPECTED}.")


def is_bundled(model: str | Path) -> bool:
    """Whether `model` is a bundled base rather than a Stable Diffusion folder or hub id.

    Raises InputError if it is none of the three.
    """
    require_base(model)
    return (Path(model) / FACTS).is_file()


def snapshot_folder(base: Mapping[str, Any]) -> str | None:
    """The folder, below results/, of a base model from the hub: models/<owner>--<name>/<commit>.

    base: `base` of the configuration. Returns None where base.model is a folder. Raises InputError if base.model is a
    hub id and base.revision names no commit: the same configuration could then mean other weights tomorrow.
    """
    model, revision = base["model"], base["revision"]
    if not is_hub_id(model):
        return None
    if revision is None:
        raise InputError(
            f"The key 'base.revision' is null, but base.model is the hub id '{model}': give the commit to use, 40 "
            "hexadecimal digits that the model's page shows under its files, or correct the name if a folder is meant."
        )
    return f"models/{model.replace('/', '--')}/{revision}"

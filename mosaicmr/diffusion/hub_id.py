"""Which base models are to be fetched from the Hugging Face hub, and where they then lie; loads nothing."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mosaicmr.errors import InputError

ORIGIN = "origin.json"  # in the folder of a fetched model: its hub id, commit and checksums
_HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*", re.ASCII)


def is_hub_id(model: str | Path) -> bool:
    """Whether `model` has the form of a hub id, owner/name, and is neither a folder nor meant to be one.

    'models/base' has that form too; where models/ exists, it is a folder gone astray and no reason to go online.
    """
    folder = Path(model)
    return not folder.is_dir() and not folder.parent.is_dir() and bool(_HUB_ID.fullmatch(str(model)))


def snapshot_folder(base: Mapping[str, Any]) -> str | None:
    """Where the files of a base model from the hub lie, below results/: models/<owner>--<name>/<commit>.

    base: `base` of the configuration. Returns None where base.model is a folder. Raises InputError if base.model is a
    hub id and base.revision names no commit: the same configuration could then mean other weights tomorrow.
    """
    model, revision = base["model"], base["revision"]
    if not is_hub_id(model):
        return None
    if revision is None:
        raise InputError(
            f"The key 'base.revision' is null, but base.model is the hub id '{model}': give the commit to use, 40 "
            "hexadecimal digits that the model's page shows under its files."
        )
    return f"models/{model.replace('/', '--')}/{revision}"

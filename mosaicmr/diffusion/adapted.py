"""The adapted base on disk: a U-Net for one cohort's modalities, and facts on its origin.

Autoencoder, text encoder and noise schedule stay those of the base model from which it was made.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from mosaicmr.diffusion.model_files import digest, verify_files
from mosaicmr.errors import InputError
from mosaicmr.io import load_json, save_arrays, save_json

FACTS = "adapted.json"
CONFIG, WEIGHTS = "unet/config.json", "unet/diffusion_pytorch_model.safetensors"  # diffusers' names
REMEDY = "delete the folder and run adapt_base again"


def save_adapted(
    unet: UNet2DConditionModel, folder: str | Path, base: str, modalities: Sequence[str], facts: Mapping[str, Any]
) -> None:
    """Write an adapted U-Net in float16, the same bytes for the same weights, and then adapted.json.

    base: the base model's name. modalities: those of its channels, in order. facts: further entries. The adapted base
    is called by the base's name and the first digits of the SHA-256 of its own weights.
    """
    folder = Path(folder)
    weights = {name: value.half().cpu().numpy() for name, value in unet.state_dict().items()}
    save_arrays(folder / WEIGHTS, weights, {"format": "pt"})
    # diffusers notes the path that the base was read from.
    config = {key: value for key, value in json.loads(unet.to_json_string()).items() if key != "_name_or_path"}
    save_json(folder / CONFIG, config)
    digests = {name: digest(folder / name) for name in (CONFIG, WEIGHTS)}
    name = f"{base}, adapted {digests[WEIGHTS][:12]}"
    own = {"name": name, "base": base, "modalities": list(modalities)}
    save_json(folder / FACTS, {**own, **facts, "sha256": digests})


def load_adapted_facts(folder: str | Path, modalities: Sequence[str] | None = None) -> dict[str, Any]:
    """Read adapted.json, and verify the SHA-256 of every file of the adapted base.

    Raises InputError if a file is missing or differs, or if the adapted base is for other `modalities` (None: any).
    """
    folder = Path(folder)
    if not (folder / FACTS).is_file():
        raise InputError(f"{folder} lacks {FACTS}, by which an adapted base is known: {REMEDY}.")
    facts = load_json(folder / FACTS)
    verify_files(folder, FACTS, facts["sha256"], REMEDY)
    if modalities is not None and facts["modalities"] != list(modalities):
        raise InputError(
            f"The adapted base {folder} is for {', '.join(facts['modalities'])}: expected {', '.join(modalities)}, in "
            f"this order; {REMEDY}."
        )
    return facts

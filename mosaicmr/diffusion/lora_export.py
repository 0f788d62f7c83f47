"""An expert in the names of diffusers, so that its own `load_lora_adapter` and `load_lora_weights` read it.

diffusers knows low-rank updates alone, and passes over weights that were trained whole. The change of the U-Net's ends
is therefore written as the update that it is: W' - W = I (W' - W), of full rank, and the change of their bias as that
of the outer factor.
"""

import json
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict

FILE = "pytorch_lora_weights.safetensors"  # the name that diffusers looks for
PREFIX = "unet"  # before the names of a pipeline's U-Net
OUTER = "lora_B.weight"


def to_diffusers(model: PeftModel) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The weights of a LoRA expert by diffusers' names, and the metadata of their file.

    model: as `adapters.add_adapter` makes it. With these weights, a U-Net in diffusers predicts what it does with the
    expert merged in, to rounding.
    """
    config = model.peft_config["default"]
    ends = list(config.modules_to_save)
    state: dict[str, torch.Tensor] = {}
    for name, value in get_peft_model_state_dict(model).items():
        name = name.removeprefix("base_model.model.")
        if name.rsplit(".", 1)[0] in ends:
            continue
        state[f"{PREFIX}.{name}"] = value.detach()
        if name.endswith(OUTER):
            # A bias in one place asks for it in all.
            bias = f"{PREFIX}.{name.removesuffix('weight')}bias"
            state[bias] = torch.zeros(value.shape[0], dtype=value.dtype, device=value.device)
    ranks = {}
    for name in ends:
        end = model.get_submodule(f"base_model.model.{name}")
        new, old = end.modules_to_save["default"], end.original_module
        change = (new.weight - old.weight).detach()
        ranks[name] = len(change)
        state[f"{PREFIX}.{name}.lora_A.weight"] = change
        state[f"{PREFIX}.{name}.{OUTER}"] = torch.eye(len(change), dtype=change.dtype, device=change.device)[
            ..., None, None
        ]
        state[f"{PREFIX}.{name}.lora_B.bias"] = (new.bias - old.bias).detach()
    return state, {"format": "pt", "lora_adapter_metadata": json.dumps(_describe(config, state, ranks), sort_keys=True)}


def _describe(config: Any, state: dict[str, torch.Tensor], ranks: dict[str, int]) -> dict[str, Any]:
    """The settings of the adapter; without them, diffusers would scale the ends by the rank of the other layers."""
    layers = sorted({name.removeprefix(f"{PREFIX}.").rsplit(".lora_", 1)[0] for name in state})
    values = {
        "r": config.r,
        "lora_alpha": config.lora_alpha,
        "rank_pattern": ranks,
        "alpha_pattern": ranks,
        "target_modules": layers,
        "lora_bias": True,
    }
    return {f"{PREFIX}.{name}": value for name, value in values.items()}

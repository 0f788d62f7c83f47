"""Weights of an expert: PEFT's LoRA with the trained first and last convolution of the U-Net, or all weights.

LoRA (Hu et al. 2022, eq. 3) on every linear layer and inner convolution: W x + B A x, where B starts at zero, so that
an untrained expert is the base model. The ends of the U-Net are trained whole, because their channels depend on the
cohort.
"""

import json
from pathlib import Path

import numpy as np
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from torch import nn

from mosaicmr.diffusion.lora_export import FILE, to_diffusers
from mosaicmr.errors import InputError
from mosaicmr.io import load_arrays, load_json, save_arrays, save_json
from mosaicmr.seeds import derive_seed

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"  # PEFT's names
ENDS = ["conv_in", "conv_out"]


def add_adapter(unet: UNet2DConditionModel, method: str, rank: int, seed: int, domain: str) -> nn.Module:
    """Make a U-Net trainable: a PEFT model for `method` 'lora', the U-Net itself for 'full'."""
    if method == "full":
        return unet.requires_grad_(True).train()
    layers = [name for name, module in unet.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    config = LoraConfig(
        r=rank,
        lora_alpha=rank,
        target_modules=[name for name in layers if name not in ENDS],
        modules_to_save=ENDS,
        init_lora_weights=True,
    )
    with torch.random.fork_rng(devices=[]):  # PEFT draws A from the global generator
        torch.manual_seed(derive_seed(seed, "expert", domain, "adapter"))
        return get_peft_model(unet, config).train()


def trainable_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that training changes, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def save_adapter(model: nn.Module, folder: str | Path, base: str) -> None:
    """Write adapter_model.safetensors and adapter_config.json (as PEFT does), the same bytes for the same weights.

    Beside them, a 'lora' expert has the same weights in pytorch_lora_weights.safetensors, in the names of diffusers.
    base: the name of the U-Net that the expert was trained on (`Base.unet_name`). All weights of a 'full' expert are
    written in float16.
    """
    folder = Path(folder)
    if isinstance(model, PeftModel):
        state = get_peft_model_state_dict(model)
        config = model.peft_config["default"].to_dict() | {"base_model_name_or_path": base, "inference_mode": True}
        same, metadata = to_diffusers(model)
        save_arrays(folder / FILE, {name: _array(value) for name, value in same.items()}, metadata)
    else:
        state = {name: value.half() for name, value in model.state_dict().items()}
        config = {"method": "full", "base_model_name_or_path": base}
    save_arrays(folder / WEIGHTS, {name: _array(value) for name, value in state.items()}, {"format": "pt"})
    # Sets have no order of their own, and differ from run to run.
    save_json(folder / CONFIG, json.loads(json.dumps(config, sort_keys=True, default=sorted)))


def merge_adapter(unet: UNet2DConditionModel, folder: str | Path, base: str) -> UNet2DConditionModel:
    """The U-Net with an expert's weights merged in, frozen, ready for inference.

    base: this U-Net's name, as in `save_adapter`. Raises InputError if the expert is missing or was trained on
    another base or other modalities.
    """
    folder = Path(folder)
    for name in (WEIGHTS, CONFIG):
        if not (folder / name).is_file():
            raise InputError(f"The expert {folder} lacks {name}: delete the folder and run finetune_expert again.")
    config = load_json(folder / CONFIG)
    trained_on = config.get("base_model_name_or_path")
    if trained_on != base:
        raise InputError(
            f"The expert {folder} was trained on the base model '{trained_on}': expected '{base}'; delete the folder "
            "and run finetune_expert again."
        )
    try:
        if config.get("method") == "full":
            state = {name: torch.from_numpy(value).float() for name, value in load_arrays(folder / WEIGHTS).items()}
            unet.load_state_dict(state)
        else:
            unet = PeftModel.from_pretrained(unet, str(folder)).merge_and_unload()
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"The expert {folder} does not fit the base model and modalities of this run: expected one trained with "
            "them; delete the folder and run finetune_expert again."
        ) from error
    return unet.requires_grad_(False).eval()


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()

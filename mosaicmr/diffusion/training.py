"""What every training loop shares: the learning rate, and a checkpoint that survives a kill."""

import math
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from mosaicmr.io import load_metadata, write_atomically


def cosine_rate(step: int, steps: int, peak: float, warmup: int) -> float:
    """Learning rate at `step` of `steps`: linear warm-up, then half a cosine down to a fiftieth of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all parameter groups one learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def save_checkpoint(path: Path, step: int, modules: dict[str, nn.Module], optimizer: torch.optim.AdamW) -> None:
    """Write the weights of named modules and AdamW's moments as one safetensors file, whole or not at all."""
    tensors = {f"{name}/{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{key}": value for key, value in state.items()}
    tensors = {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
    write_atomically(path, lambda temporary: save_file(tensors, temporary, {"step": str(step)}))


def load_checkpoint(path: Path, modules: dict[str, nn.Module], optimizer: torch.optim.AdamW) -> int:
    """Restore what `save_checkpoint` wrote, and return its step; 0 where there is no checkpoint."""
    if not path.exists():
        return 0
    tensors = load_file(path)
    for name, module in modules.items():
        module.load_state_dict(_below(tensors, name))
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in _below(tensors, "optimizer").items():
        index, field = key.split("/")
        state.setdefault(int(index), {})[field] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(load_metadata(path)["step"])


def _below(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key[len(prefix) + 1 :]: value for key, value in tensors.items() if key.startswith(f"{prefix}/")}

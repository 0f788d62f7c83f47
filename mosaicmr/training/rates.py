"""What every training loop shares: the learning rate, and a checkpoint that survives a kill."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from mosaicmr.errors import InputError
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


def require_finite(loss: float, step: int, name: str, rate: float) -> None:
    """Raise InputError if a loss of pretraining is no longer finite.

    step: counted from 0. name: of the section of the config's `pretrain` that has the learning rate `rate`.
    """
    if not math.isfinite(loss):
        raise InputError(
            f"Pretraining of the {name} gave a loss of {loss} in step {step + 1} with pretrain.{name}.learning_rate "
            f"{rate:g}: expected a finite number; lower it."
        )


def save_checkpoint(
    path: Path,
    step: int,
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, torch.optim.Optimizer],
    curve: list[dict[str, float]],
) -> None:
    """Write the weights of named modules, the state of named optimizers and the rows of the training curve as one
    safetensors file, whole or not at all."""
    tensors = {f"{name}/{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    for name, optimizer in optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{name}/{index}/{key}": value for key, value in state.items()}
    tensors = {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
    facts = {"step": str(step), "curve": json.dumps(curve)}
    write_atomically(path, lambda temporary: save_file(tensors, temporary, facts))


def load_checkpoint(
    path: Path, modules: Mapping[str, nn.Module], optimizers: Mapping[str, torch.optim.Optimizer]
) -> tuple[int, list[dict[str, float]]]:
    """Restore what `save_checkpoint` wrote, and return its step and curve; 0 and none where there is no checkpoint."""
    if not path.exists():
        return 0, []
    tensors = load_file(path)
    for name, module in modules.items():
        module.load_state_dict(_below(tensors, name))
    for name, optimizer in optimizers.items():
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in _below(tensors, name).items():
            index, field = key.split("/")
            state.setdefault(int(index), {})[field] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    facts = load_metadata(path)
    return int(facts["step"]), json.loads(facts["curve"])


def _below(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key[len(prefix) + 1 :]: value for key, value in tensors.items() if key.startswith(f"{prefix}/")}


@torch.no_grad()
def update_average(averaged: nn.Module, module: nn.Module, decay: float, done: int) -> None:
    """Move each weight of `averaged` towards that of `module`, after `done` steps: faster at first, so that the start
    is forgotten."""
    decay = min(decay, done / (9 + done))
    for slow, fast in zip(averaged.parameters(), module.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)

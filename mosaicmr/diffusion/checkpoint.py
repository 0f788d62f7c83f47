"""Checkpoints of a training: one safetensors file, replaced as a whole, that says what it belongs to."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mosaicmr.errors import InputError
from mosaicmr.io import load_arrays, load_metadata, save_arrays

logger = logging.getLogger(__name__)

_MOMENTS = ("exp_avg", "exp_avg_sq")  # what AdamW keeps of each parameter, beside its count of steps


@dataclass(frozen=True)
class Checkpoint:
    """Where a checkpoint lies, and what the training is that it belongs to.

    fingerprint: a digest of settings, inputs and code. A checkpoint with another one is never resumed.
    """

    path: Path
    fingerprint: str

    def save(self, step: int, weights: dict[str, nn.Parameter], optimizer: torch.optim.AdamW, history: dict) -> None:
        """Write weights, optimizer state and the history (arrays by name) after `step` steps.

        The file before it stays until the new one is complete.
        """
        arrays = {f"weight/{name}": _array(parameter) for name, parameter in weights.items()}
        for name, parameter in weights.items():
            for moment in _MOMENTS:
                arrays[f"{moment}/{name}"] = _array(optimizer.state[parameter][moment])
        arrays |= {f"history/{name}": values[:step] for name, values in history.items()}
        save_arrays(self.path, arrays, {"fingerprint": self.fingerprint, "step": str(step)})

    def load(self, weights: dict[str, nn.Parameter], optimizer: torch.optim.AdamW, history: dict) -> int:
        """Restore what `save` wrote, and return the number of steps that were done: 0 if there is nothing to resume."""
        if not self.path.is_file():
            return 0
        try:
            found = load_metadata(self.path)
            if found.get("fingerprint") != self.fingerprint:
                logger.info("%s belongs to other settings or inputs; training starts anew", self.path)
                return 0
            arrays = load_arrays(self.path)
        except InputError:
            logger.warning("%s cannot be read; training starts anew", self.path)
            return 0
        step = int(found["step"])
        _restore(weights, optimizer, arrays, step)
        for name, values in history.items():
            values[:step] = arrays[f"history/{name}"]
        return step

    def remove(self) -> None:
        """Delete the checkpoint of a finished training, which must not be taken for that of the next."""
        self.path.unlink(missing_ok=True)


@torch.no_grad()
def _restore(weights: dict[str, nn.Parameter], optimizer: torch.optim.AdamW, arrays: dict, step: int) -> None:
    for name, parameter in weights.items():
        parameter.copy_(torch.from_numpy(arrays[f"weight/{name}"]))
        state = {moment: torch.from_numpy(arrays[f"{moment}/{name}"]).to(parameter.device) for moment in _MOMENTS}
        optimizer.state[parameter] = {"step": torch.tensor(float(step)), **state}


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()

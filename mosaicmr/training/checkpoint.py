"""Checkpoints of a training: one safetensors file, replaced as a whole, that says what it belongs to."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from mosaicmr.errors import InputError
from mosaicmr.io import load_metadata, write_atomically

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """Where a checkpoint lies, and what the training is that it belongs to.

    fingerprint: a digest of settings, inputs and code. A checkpoint with another one is never resumed.
    """

    path: Path
    fingerprint: str

    def save(
        self,
        step: int,
        weights: Mapping[str, Tensor],
        optimizers: Mapping[str, Optimizer],
        history: Mapping[str, np.ndarray],
    ) -> None:
        """Write weights, the state of each optimizer and the history (arrays by name) after `step` steps.

        The file before it stays until the new one is complete.
        """
        tensors = {f"weight/{name}": weight for name, weight in weights.items()}
        for name, optimizer in optimizers.items():
            for index, state in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer/{name}/{index}/{field}": value for field, value in state.items()}
        tensors |= {f"history/{name}": torch.from_numpy(values[:step]) for name, values in history.items()}
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        facts = {"fingerprint": self.fingerprint, "step": str(step)}
        write_atomically(self.path, lambda temporary: save_file(tensors, temporary, facts))

    def load(
        self, weights: Mapping[str, Tensor], optimizers: Mapping[str, Optimizer], history: Mapping[str, np.ndarray]
    ) -> int:
        """Restore what `save` wrote, and return the number of steps that were done: 0 if there is nothing to resume."""
        if not self.path.is_file():
            return 0
        try:
            found = load_metadata(self.path)
            if found.get("fingerprint") != self.fingerprint:
                logger.info("%s belongs to other settings or inputs; training starts anew", self.path)
                return 0
            tensors = load_file(self.path)
        except InputError:
            logger.warning("%s cannot be read; training starts anew", self.path)
            return 0
        step = int(found["step"])
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(tensors[f"weight/{name}"])
        for name, optimizer in optimizers.items():
            _restore(optimizer, tensors, f"optimizer/{name}/")
        for name, values in history.items():
            values[:step] = tensors[f"history/{name}"].numpy()
        return step

    def remove(self) -> None:
        """Delete the checkpoint of a finished training, which must not be taken for that of the next."""
        self.path.unlink(missing_ok=True)


def _restore(optimizer: Optimizer, tensors: Mapping[str, Tensor], prefix: str) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            index, field = name.removeprefix(prefix).split("/")
            state.setdefault(int(index), {})[field] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})

"""Checkpoints of a training: one safetensors file, replaced as a whole, that names the training it belongs to."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from mosaicmr.errors import InputError
from mosaicmr.io import load_metadata, write_atomically

logger = logging.getLogger(__name__)

Row = Mapping[str, float]  # of a history: the numbers of one step by name, the same names in every step


@dataclass(frozen=True)
class Checkpoint:
    """Path of a checkpoint, and the training that it belongs to.

    fingerprint: a digest of all that the trained weights depend on and that the path does not tell apart. A checkpoint
    with another fingerprint is never resumed.
    """

    path: Path
    fingerprint: str

    def save(self, weights: Mapping[str, Tensor], optimizers: Mapping[str, Optimizer], history: Sequence[Row]) -> None:
        """Write named weights, the state of each optimizer and the history, one row a step that is done.

        The old file stays until the new file is complete.
        """
        tensors = {f"weight/{name}": weight for name, weight in weights.items()}
        for name, optimizer in optimizers.items():
            for index, state in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer/{name}/{index}/{field}": value for field, value in state.items()}
        tensors["history"] = torch.tensor([list(row.values()) for row in history], dtype=torch.float64)
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        facts = {"fingerprint": self.fingerprint, "columns": json.dumps(list(history[0]))}
        write_atomically(self.path, lambda temporary: save_file(tensors, temporary, facts))

    def load(self, weights: Mapping[str, Tensor], optimizers: Mapping[str, Optimizer]) -> list[dict[str, float]]:
        """Restore weights and optimizers in place, and return the history: no row if there is nothing to resume."""
        if not self.path.is_file():
            return []
        try:
            found = load_metadata(self.path)
            if found.get("fingerprint") != self.fingerprint:
                logger.info("%s belongs to other settings or inputs; training starts anew", self.path)
                return []
            tensors = load_file(self.path)
        except InputError:
            logger.warning("%s cannot be read; training starts anew", self.path)
            return []
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(tensors[f"weight/{name}"])
        for name, optimizer in optimizers.items():
            _restore(optimizer, tensors, f"optimizer/{name}/")
        columns = json.loads(found["columns"])
        return [dict(zip(columns, row, strict=True)) for row in tensors["history"].tolist()]

    def remove(self) -> None:
        """Delete the checkpoint of a finished training, which must not be taken for that of the next."""
        self.path.unlink(missing_ok=True)


def named_tensors(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Parameters and buffers of several modules, as `module/tensor`, in the modules' own memory."""
    return {f"{part}/{name}": value for part, each in modules.items() for name, value in each.state_dict().items()}


def _restore(optimizer: Optimizer, tensors: Mapping[str, Tensor], prefix: str) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            index, field = name.removeprefix(prefix).split("/")
            state.setdefault(int(index), {})[field] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})

"""Optimizers of all trainings, with one interface: `set_rate`, `zero_grad`, `step`, and `parts` for checkpoints."""

from collections.abc import Sequence

import torch
from torch import nn

# A U-Net's input and output layers: Muon is for the layers between them.
UNET_ENDS = ("conv_in", "conv_out", "class_embedding.linear_1")


class OneOptimizer:
    """A single optimizer of PyTorch, with the interface of `MuonWithAdamW`."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self.zero_grad, self.step = optimizer.zero_grad, optimizer.step

    def set_rate(self, rate: float) -> None:
        """Give all parameters one learning rate."""
        _set_rate(self._optimizer, rate)

    @property
    def parts(self) -> dict[str, torch.optim.Optimizer]:
        """The optimizer, as checkpoints keep it."""
        return {"only": self._optimizer}


class MuonWithAdamW:
    """Muon on the weights of linear and convolutional layers, AdamW on all other parameters and on those of `ends`.

    Muon (Jordan et al. 2024) makes each update a matrix with nearly equal singular values. PyTorch's Muon takes
    matrices only, so a kernel is viewed as one row for each output channel, in the same memory.
    """

    def __init__(self, module: nn.Module, ends: Sequence[str], rate: float, weight_decay: float) -> None:
        hidden, rest = [], []
        for name, parameter in module.named_parameters():
            (rest if parameter.ndim < 2 or name.startswith(tuple(ends)) else hidden).append(parameter)
        self._pairs = [(parameter, nn.Parameter(parameter.data.flatten(1))) for parameter in hidden]
        self._muon = torch.optim.Muon(
            [matrix for _, matrix in self._pairs], rate, weight_decay, adjust_lr_fn="match_rms_adamw"
        )
        self._adamw = torch.optim.AdamW(rest, rate, weight_decay=weight_decay)

    def set_rate(self, rate: float) -> None:
        """Give all parameters one learning rate."""
        for optimizer in (self._muon, self._adamw):
            _set_rate(optimizer, rate)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self._adamw.zero_grad()
        for parameter, _ in self._pairs:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Take one step of both optimizers."""
        for parameter, matrix in self._pairs:
            matrix.grad = None if parameter.grad is None else parameter.grad.flatten(1)
        self._muon.step()
        self._adamw.step()

    @property
    def parts(self) -> dict[str, torch.optim.Optimizer]:
        """Both optimizers, as checkpoints keep them."""
        return {"muon": self._muon, "adamw": self._adamw}


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate

"""Random generators that depend only on the run's seed and on their purpose."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive_seed(seed: int, *labels: str | int) -> int:
    """A 63-bit seed from the run's seed and the labels of a purpose, the same on every machine.

    Two purposes get unrelated streams, and adding a purpose changes no other: `derive_seed(7, "layouts", "b000")`.
    """
    text = "\x1f".join(str(part) for part in (seed, *labels))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(seed: int, *labels: str | int) -> np.random.Generator:
    """NumPy's generator for one purpose."""
    return np.random.default_rng(derive_seed(seed, *labels))


def torch_generator(seed: int, *labels: str | int) -> torch.Generator:
    """PyTorch's CPU generator for one purpose: noise is drawn on the CPU so that a GPU starts from the same noise."""
    import torch  # seconds to import, and most stages that need NumPy's generator never need it

    return torch.Generator().manual_seed(derive_seed(seed, *labels))

"""Inputs of synthesis: the embeddings of the prompts, and the layouts to be filled."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mosaicmr.cohort.labels import TUMOUR_CLASSES
from mosaicmr.diffusion.conditioning import encode_layout
from mosaicmr.errors import InputError
from mosaicmr.io import load_arrays, load_table
from mosaicmr.partition.domains import WHOLE


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of all prompts of a run.

    states: float16 [P + 1, L, D], token states; mask: uint8 [P + 1, L], nonzero on tokens; row 0 is the empty prompt.
    rows: the row of each prompt.
    """

    states: np.ndarray
    mask: np.ndarray
    rows: dict[str, int]

    @classmethod
    def load(cls, arrays: str | Path, table: str | Path) -> "Embeddings":
        """Read what the rule embed_prompts wrote."""
        stored, prompts = load_arrays(arrays, ["embeddings", "mask"]), load_table(table)
        return cls(stored["embeddings"], stored["mask"], dict(zip(prompts["prompt"], prompts["row"], strict=True)))

    def of(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token states float32 [n, L, D] and masks uint8 [n, L] of prompts; '' is the empty prompt.

        Raises InputError for a prompt that was not embedded.
        """
        unknown = [prompt for prompt in prompts if prompt and prompt not in self.rows]
        if unknown:
            raise InputError(f"prompts/embeddings lacks the prompt '{unknown[0]}': run the rule embed_prompts again.")
        rows = [self.rows[prompt] if prompt else 0 for prompt in prompts]
        return torch.from_numpy(self.states[rows]).float(), torch.from_numpy(self.mask[rows])


@dataclass(frozen=True)
class Layouts:
    """A batch of slices to be drawn, as the rule draw_layouts wrote it.

    table: one row a slice; `synthetic` is its id, and `prompt_<expert>` is the prompt of each expert.
    domains: uint8 [n, H, W], 0 outside the brain. source: float16 [n, M, H, W] in [0, 1], a slice of a training
    patient, deformed like the layout. names: the domains in the order of their ids, from id 1 on.
    """

    table: pd.DataFrame
    domains: np.ndarray
    source: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def load(cls, arrays: str | Path, table: str | Path, names: Sequence[str]) -> "Layouts":
        """Read one batch; `names` are the domains in the order of their ids."""
        stored = load_arrays(arrays, ["domains", "source"])
        return cls(load_table(table), stored["domains"], stored["source"], tuple(names))

    def __len__(self) -> int:
        return len(self.domains)

    @property
    def identifiers(self) -> np.ndarray:
        """The ids of the slices, text [n]."""
        return self.table["synthetic"].to_numpy()

    def rows_with(self, expert: str) -> np.ndarray:
        """The rows of the slices in which the expert's domain occurs, int [k]; `whole` occurs in all of them."""
        if expert == WHOLE:
            return np.arange(len(self))
        return np.flatnonzero((self.domains == self.names.index(expert) + 1).any(axis=(1, 2)))

    def prompts(self, expert: str, rows: np.ndarray) -> list[str]:
        """The prompts of the expert in these rows."""
        return self.table[f"prompt_{expert}"].iloc[rows].tolist()

    def channels(self, factor: int, rows: np.ndarray) -> Tensor:
        """Layout channels of these rows at the resolution of the latents, float32 [k, 24, H / factor, W / factor]."""
        values = {tumour_class.name: tumour_class.value for tumour_class in TUMOUR_CLASSES}
        tumour = [values[name] for name in self.names if name in values]
        encoded = encode_layout(self.domains[rows], tumour, len(self.names) - len(tumour), factor)
        return torch.as_tensor(encoded, dtype=torch.float32)

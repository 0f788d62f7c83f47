"""Inputs of synthesis: the embeddings of the prompts, and the layouts to be filled."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.diffusion.conditioning import encode_layout
from mosaicmr.diffusion.text import TextEncoder, embed_prompts
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

    @classmethod
    def embed(cls, encode: TextEncoder, prompts: Sequence[str]) -> "Embeddings":
        """Embed some prompts, each once, and the empty prompt."""
        different = list(dict.fromkeys(prompts))
        states, mask = embed_prompts(encode, different)
        return cls(states.numpy(), mask.numpy(), {prompt: row for row, prompt in enumerate(different, start=1)})

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
class Layouts(SliceSet):
    """A batch of slices to be drawn, as the rule draw_layouts wrote it.

    Its arrays are domains, labels, brain and source, a slice of a training patient, deformed like the layout; in its
    table, `prompt_<expert>` is what each expert is asked for.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The domains in the order of their ids, from id 1 on."""
        return self.header.domains

    @property
    def identifiers(self) -> np.ndarray:
        """The names of the slices, text [n]."""
        return self.table["slice"].to_numpy()

    def rows_with(self, expert: str) -> np.ndarray:
        """The rows of the slices in which the expert's domain occurs, int [k]; `whole` occurs in all of them."""
        if expert == WHOLE:
            return np.arange(len(self))
        return np.flatnonzero((self.domains == self.names.index(expert) + 1).any(axis=(1, 2)))

    def prompts(self, expert: str, rows: np.ndarray) -> list[str]:
        """The prompts of the expert in these rows."""
        return self.table[f"prompt_{expert}"].iloc[rows].tolist()

    def channels(self, downsampling: int, rows: np.ndarray) -> Tensor:
        """Layout channels of these rows at the resolution of the latents: float32 [k, 24, h, w].

        downsampling: H / h, which is W / w.
        """
        tumour = [tumour_class.base_class.value for tumour_class in self.header.classes]
        encoded = encode_layout(self.domains[rows], tumour, len(self.names) - len(tumour), downsampling)
        return torch.as_tensor(encoded, dtype=torch.float32)

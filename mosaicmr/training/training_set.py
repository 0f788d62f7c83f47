"""The training set of experts and of the adapted base.

It holds cached latents, domain maps and prompt embeddings of the training patients' slices.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.errors import InputError
from mosaicmr.io import load_arrays, load_table
from mosaicmr.partition.domains import WHOLE, Domain


@dataclass(frozen=True)
class TrainingSlices:
    """The n training slices of an expert, or of the adapted base, with their prompts.

    mean: float16 [n, C, h, w], posterior mean of the latents. std: the same shape, or None where training uses the
    mean. domains: uint8 [n, H, W], domain ids, 0 in the background. prompts: int64 [n, K], rows of the embeddings; a
    step takes one for each slice; K is 1 for an expert. embeddings: float16 [P, L, D], mask: uint8 [P, L]; row 0 is
    the empty prompt. tumour_classes: of the domain ids 1..T, the class of the base that each resembles; healthy: the
    number of healthy domains.
    """

    mean: np.ndarray
    std: np.ndarray | None
    domains: np.ndarray
    prompts: np.ndarray
    embeddings: np.ndarray
    mask: np.ndarray
    tumour_classes: tuple[int, ...]
    healthy: int

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def downsampling(self) -> int:
        """Side of a slice divided by the side of its latents."""
        return self.domains.shape[-1] // self.mean.shape[-1]

    def digest(self) -> str:
        """SHA-256 of all arrays and numbers of the set."""
        digest = hashlib.sha256(repr((self.tumour_classes, self.healthy)).encode())
        for array in (self.mean, self.std, self.domains, self.prompts, self.embeddings, self.mask):
            if array is not None:
                digest.update(f"{array.dtype}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()


@dataclass(frozen=True)
class Shard:
    """The files of one shard: latents (mean, std, row), domains, and the table of slices (slice, row)."""

    latents: Path
    domains: Path
    table: Path


@dataclass(frozen=True)
class Prompts:
    """Files of the training prompts: their table (slice, domain, prompt), embeddings, and their rows (prompt, row)."""

    table: Path
    embeddings: Path
    embedding_table: Path


def domain_id(name: str, domains: Sequence[Domain]) -> int | None:
    """The id of the domain that an expert is for; None for 'whole'."""
    return None if name == WHOLE else next(domain.id for domain in domains if domain.name == name)


def load_shards(shards: Iterable[Shard], wanted: int | None, with_std: bool) -> tuple[dict[str, np.ndarray], list[str]]:
    """Arrays mean, std (if wanted) and domains of the training slices that contain a domain, and the slices' names.

    wanted: the id of the domain; None takes every slice. Raises InputError if the files of a shard are of different
    kinds of slices.
    """
    names = ["mean", "std"] if with_std else ["mean"]
    parts: list[dict[str, np.ndarray]] = []
    slices: list[str] = []
    for shard in shards:
        SliceHeader.read_all(shard.latents, shard.domains)
        latents = load_arrays(shard.latents, [*names, "row"])
        rows = latents.pop("row")
        domains = load_arrays(shard.domains, ["domains"])["domains"][rows]
        keep = np.ones(len(rows), bool) if wanted is None else (domains == wanted).any((1, 2))
        parts.append({name: array[keep] for name, array in (latents | {"domains": domains}).items()})
        by_row = load_table(shard.table).set_index("row")["slice"]
        slices += by_row.loc[rows[keep]].tolist()
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, slices


def load_prompts(prompts: Prompts, slices: list[str], asked: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays prompts [n, K], embeddings and mask of n slices; unused embeddings are left out.

    asked: text [n, K], the domains whose prompts each slice has. Raises InputError if a slice has no prompt or a
    prompt no embedding.
    """
    pairs = pd.MultiIndex.from_arrays([np.repeat(np.array(slices, object), asked.shape[1]), asked.ravel()])
    texts = load_table(prompts.table).set_index(["slice", "domain"])["prompt"].reindex(pairs)
    rows = load_table(prompts.embedding_table).set_index("prompt")["row"].reindex(texts)
    if rows.isna().any():
        raise InputError(
            f"{prompts.table if texts.isna().any() else prompts.embedding_table} lacks a prompt of the domain "
            f"'{asked.ravel()[rows.isna().argmax()]}': delete it and run the workflow again."
        )
    used = np.unique(np.concatenate([[0], rows.to_numpy(np.int64)]))
    arrays = load_arrays(prompts.embeddings, ["embeddings", "mask"])
    return {name: array[used] for name, array in arrays.items()} | {
        "prompts": np.searchsorted(used, rows.to_numpy(np.int64)).reshape(asked.shape)
    }


def load_training_slices(
    shards: Iterable[Shard],
    prompts: Prompts,
    domain: str,
    domains: Sequence[Domain],
    with_std: bool,
) -> TrainingSlices:
    """The training slices of one expert.

    domain: a domain's name, whose slices are those that contain it, or 'whole' for all. domains: all domains by id.
    with_std: whether to load the posterior's standard deviation, too.
    """
    shards = list(shards)
    arrays, slices = load_shards(shards, domain_id(domain, domains), with_std)
    asked = load_prompts(prompts, slices, np.full((len(slices), 1), domain, object))
    return _training_slices(arrays, asked, SliceHeader.read(shards[0].domains))


def load_adaptation_slices(
    shards: Iterable[Shard], prompts: Prompts, domains: Sequence[Domain], with_std: bool
) -> TrainingSlices:
    """All training slices, each with the prompts of the whole slice and of every domain; see `load_training_slices`.

    A domain that a slice lacks has the prompt of the whole slice in its place.
    """
    shards = list(shards)
    arrays, slices = load_shards(shards, None, with_std)
    asked = np.full((len(slices), 1 + len(domains)), WHOLE, object)
    for column, each in enumerate(domains, start=1):
        asked[(arrays["domains"] == each.id).any((1, 2)), column] = each.name
    return _training_slices(arrays, load_prompts(prompts, slices, asked), SliceHeader.read(shards[0].domains))


def _training_slices(
    arrays: dict[str, np.ndarray], prompts: dict[str, np.ndarray], header: SliceHeader
) -> TrainingSlices:
    tumours = [tumour_class.base_class.value for tumour_class in header.classes]
    return TrainingSlices(
        mean=arrays["mean"],
        std=arrays.get("std"),
        domains=arrays["domains"],
        **prompts,
        tumour_classes=tuple(tumours),
        healthy=len(header.domains) - len(tumours),
    )

"""Shards: subjects divided so that a patient who joins or leaves a cohort changes a single one of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mosaicmr.cohort.subject import Subject, digest


def assign_shards(
    subjects: Sequence[Subject], subjects_per_shard: int, max_shards: int = 32
) -> dict[str, list[Subject]]:
    """Distribute subjects over shards; returns the shards that are not empty, in order.

    A shard of more than `subjects_per_shard` subjects is split in two by the next bit of a hash of the patient, as long
    as `max_shards` (rounded down to a power of two) allows; beyond that, shards grow. So a patient who joins or leaves
    changes a single shard, which may split or take in its other half. All timepoints of a patient share a shard.
    """
    return dict(sorted(_split_shard(subjects, 1, subjects_per_shard, max_shards.bit_length() - 1)))


def _split_shard(subjects: Sequence[Subject], node: int, most: int, splits: int) -> Iterator[tuple[str, list[Subject]]]:
    """The shards below a node of the binary tree of hash bits; the children of `node` are 2 node and 2 node + 1."""
    if len(subjects) > most and splits > 0:
        halves: tuple[list[Subject], list[Subject]] = ([], [])
        for subject in subjects:
            bits = int(digest(f"shard {subject.patient}"), 16)
            halves[bits >> (node.bit_length() - 1) & 1].append(subject)
        for bit, half in enumerate(halves):
            yield from _split_shard(half, 2 * node + bit, most, splits - 1)
    elif subjects:
        name = f"{node:04d}"
        yield name, [replace(subject, shard=name) for subject in subjects]

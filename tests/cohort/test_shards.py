"""Shards: a patient who joins or leaves a cohort changes a single one of them."""

import pytest

from mosaicmr.cohort.shards import assign_shards
from mosaicmr.cohort.subject import Subject, pseudonym


def subjects_numbered(numbers):
    names = [f"BraTS2021_{number:05d}" for number in numbers]
    return [Subject(pseudonym("S", name), pseudonym("P", name), {}, f"{name}_seg.nii.gz") for name in names]


def members(shards):
    return {(shard, frozenset(subject.subject for subject in subjects)) for shard, subjects in shards.items()}


@pytest.mark.parametrize(("subjects_per_shard", "max_shards"), [(1, 32), (6, 32), (6, 4), (6, 1)])
def test_adding_a_patient_touches_no_shard_but_its_own_however_large_the_cohort(subjects_per_shard, max_shards):
    before = members(assign_shards(subjects_numbered(range(1)), subjects_per_shard, max_shards))
    for count in range(2, 120):
        after = members(assign_shards(subjects_numbered(range(count)), subjects_per_shard, max_shards))
        gone, new = before - after, after - before
        assert len(gone) <= 1
        held = set().union(*(subjects for _, subjects in gone))
        holds = set().union(*(subjects for _, subjects in new))
        assert held < holds and len(holds) == len(held) + 1
        before = after


def test_shards_hold_no_more_than_was_asked_for_until_there_are_as_many_as_allowed():
    shards = assign_shards(subjects_numbered(range(100)), 8, 64)
    assert all(1 <= len(subjects) <= 8 for subjects in shards.values())
    assert len(shards) < 32
    assert all(subject.shard == shard for shard, subjects in shards.items() for subject in subjects)
    large = assign_shards(subjects_numbered(range(1500)), 8, 33)  # rounded down to 32
    assert len(large) == 32
    assert all(25 <= len(subjects) <= 75 for subjects in large.values())
    assert len(assign_shards(subjects_numbered(range(3)), 8)) == 1

"""Slices on disk say what they are, and files that do not fit one another are refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mosaicmr.cohort.labels import LABEL_SCHEMES, TUMOUR_CLASSES, LabelScheme, rank_classes, unrank_classes
from mosaicmr.cohort.selection import select_splits
from mosaicmr.cohort.slice_set import SliceHeader, SliceSet, table_beside
from mosaicmr.errors import InputError
from mosaicmr.io import create_arrays, save_arrays, save_table

HEADER = SliceHeader(("FLAIR", "T1ce"), 1.5, LabelScheme.named("brats2023").classes)


def slices(count: int = 5) -> SliceSet:
    images = np.random.default_rng(0).random((count, 2, 8, 8)).astype(np.float16)
    names = [f"S1-z{row:03d}" for row in range(count)]
    table = pd.DataFrame({"slice": names, "subject": "S1", "patient": "P1", "row": range(count), "height": 0.5})
    return SliceSet(HEADER, table, {"images": images, "brain": np.ones((count, 8, 8), np.uint8)})


def test_a_set_comes_back_with_its_header_its_table_and_its_arrays(tmp_path):
    slices().save(tmp_path / "0001.safetensors")
    assert table_beside(tmp_path / "0001.safetensors").is_file()
    found = SliceSet.open(tmp_path / "0001.safetensors")
    assert found.header == HEADER
    assert [tumour.name for tumour in found.header.classes] == ["necrosis", "oedema", "enhancing"]
    np.testing.assert_array_equal(found.images, slices().images)
    pd.testing.assert_frame_equal(found.table, slices().table, check_dtype=False)


def test_domain_maps_join_the_slices_that_they_belong_to_and_bring_the_names_of_domains(tmp_path):
    slices().save(tmp_path / "0001.safetensors")
    named = replace(HEADER, domains=("necrosis", "healthy1"))
    with create_arrays(tmp_path / "d.safetensors", {"domains": (np.uint8, (5, 8, 8))}, named.metadata) as arrays:
        arrays["domains"][3] = 2
    found = SliceSet.open(tmp_path / "0001.safetensors", tmp_path / "d.safetensors")
    assert found.header == named
    assert found.domains[3].all() and not found.domains[:3].any()


def test_files_of_other_slices_are_refused(tmp_path):
    slices().save(tmp_path / "0001.safetensors")
    for name, header, count in (("coarse", replace(HEADER, pixel_size=3.0), 5), ("short", HEADER, 4)):
        save_arrays(tmp_path / name, {"domains": np.zeros((count, 8, 8), np.uint8)}, header.metadata)
    with pytest.raises(InputError, match=r"coarse and .*0001\.safetensors hold slices of different kinds"):
        SliceSet.open(tmp_path / "0001.safetensors", tmp_path / "coarse")
    with pytest.raises(InputError, match=r"'domains' beside .*has 4 slices: expected 5"):
        SliceSet.open(tmp_path / "0001.safetensors", tmp_path / "short")
    save_arrays(tmp_path / "plain.safetensors", {"images": np.zeros((5, 2, 8, 8))})
    with pytest.raises(InputError, match=r"plain\.safetensors does not say its modalities"):
        SliceSet.open(tmp_path / "plain.safetensors")


def test_an_array_that_a_set_lacks_is_named():
    with pytest.raises(InputError, match="have no 'labels', only images, brain"):
        _ = slices().labels


def test_pieces_and_kept_rows_are_joined_to_the_same_set():
    whole = slices()
    pieces = list(whole.pieces(2))
    assert [len(piece) for piece in pieces] == [2, 2, 1]
    joined = SliceSet.join(pieces)
    np.testing.assert_array_equal(joined.images, whole.images)
    assert joined.table["slice"].tolist() == whole.table["slice"].tolist()
    picked = whole.keep(np.array([4, 0]))
    assert picked.table["slice"].tolist() == ["S1-z004", "S1-z000"]
    np.testing.assert_array_equal(picked.images, whole.images[[4, 0]])


def test_opening_reads_no_array(tmp_path):
    slices().save(tmp_path / "0001.safetensors")
    found = SliceSet.open(tmp_path / "0001.safetensors")
    bases = [found.images]
    while bases[-1].base is not None and not isinstance(bases[-1], np.memmap):
        bases.append(bases[-1].base)
    assert isinstance(bases[-1], np.memmap)


def test_rows_are_selected_by_split_and_keep_their_index():
    table = pd.DataFrame({"subject": ["a", "b", "c", "a"]})
    subjects = pd.DataFrame({"subject": ["c", "a", "b"], "split": ["test", "train", "val"]})
    assert select_splits(table, subjects, "train").index.tolist() == [0, 3]
    assert select_splits(table, subjects, "val", "test").index.tolist() == [1, 2]


@pytest.mark.parametrize("scheme", LABEL_SCHEMES)
def test_the_rank_of_a_class_is_consecutive_in_its_scheme_and_gives_the_class_back(scheme):
    classes = LabelScheme.named(scheme).classes
    labels = np.array([0, *(tumour.value for tumour in classes)], np.uint8)
    ranks = rank_classes(labels, classes)
    assert ranks.tolist() == list(range(len(labels)))
    np.testing.assert_array_equal(unrank_classes(ranks, classes), labels)


def test_classes_that_are_left_out_leave_no_gap_in_the_ranks():
    necrosis, _, enhancing = LabelScheme.named("brats2021").classes
    labels = np.array([0, 1, 2, 3], np.uint8)
    assert rank_classes(labels, [necrosis, enhancing]).tolist() == [0, 1, 0, 2]
    assert unrank_classes(np.array([0, 1, 2]), [necrosis, enhancing]).tolist() == [0, 1, 3]


def test_a_class_that_the_scheme_lacks_has_no_rank():
    cavity = np.array([TUMOUR_CLASSES[-1].value], np.uint8)
    assert rank_classes(cavity, LabelScheme.named("brats2021").classes).tolist() == [0]


def test_a_table_without_slices_opens(tmp_path):
    empty = slices(0)
    empty.save(tmp_path / "0001.safetensors")
    save_table(tmp_path / "0001.parquet", empty.table)
    assert len(SliceSet.open(tmp_path / "0001.safetensors")) == 0

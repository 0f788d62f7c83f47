"""Domains mean the same in every patient: fitted on training patients, exact, and divided from tumour by the labels."""

import numpy as np
import pandas as pd
import pytest

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.selection import select_splits
from mosaicmr.errors import InputError
from mosaicmr.partition.domains import (
    assign,
    choose_reference,
    domain_names,
    load_domains,
    partition_slice,
    save_domains,
    thresholds,
)
from mosaicmr.partition.fitting import fit_domains
from mosaicmr.partition.tessellation import TessellationSettings, measure_cells, relative_grey, tessellate
from tests.support.small_slices import PIXEL, TISSUE_DOMAINS, brain_mask, tissue_greys, tumour_labels

SETTINGS = TessellationSettings(cells=120, iterations=5, grey_weight=1.0, density_power=1.0, min_fragment_area=18.0)


def classes_of(scheme):
    return LabelScheme.named(scheme).classes


def patient(name: str, gain: float = 1.0) -> tuple[np.ndarray, pd.DataFrame]:
    """Cells and their table, of a patient whose scan is `gain` times as bright."""
    grey = tissue_greys(gain, seed=len(name))
    cells = tessellate(grey, brain_mask() & (tumour_labels() == 0), PIXEL, SETTINGS, 1, name)
    table = measure_cells(cells, grey, PIXEL).assign(slice=f"{name}-z1", subject=name)
    return cells, table.assign(relative_grey=relative_grey(table))


def subjects(**splits: str) -> pd.DataFrame:
    return pd.DataFrame({"subject": list(splits), "patient": list(splits), "split": list(splits.values())})


def test_names_are_the_schemes_classes_and_then_healthy_tissue():
    assert domain_names(classes_of("brats2021"), 2) == [
        "necrosis",
        "oedema",
        "enhancing",
        "healthy1",
        "healthy2",
    ]
    assert domain_names(classes_of("brats2024-gli"), 1) == ["necrosis", "oedema", "enhancing", "cavity", "healthy1"]


def test_the_reference_is_the_first_of_t1_t1ce_flair_t2_unless_one_is_asked_for():
    assert choose_reference(["FLAIR", "T1ce", "T2"], None) == "T1ce"
    assert choose_reference(["FLAIR", "T1ce", "T2"], "T2") == "T2"
    with pytest.raises(InputError, match="reference_modality is 'T1'"):
        choose_reference(["FLAIR", "T2"], "T1")


def test_thresholds_separate_the_tissues_and_domains_rise_with_grey():
    cells, table = patient("a")
    domains = fit_domains(table, classes_of("brats2021"), 3, seed=1)
    partition = assign(cells, table, domains)
    assert np.array_equal(partition > 0, cells > 0)
    truth = tissue_greys(noise=0)
    for tissue, domain in TISSUE_DOMAINS.items():
        region = (truth == tissue) & (cells > 0)
        assert np.mean(partition[region] == domain) > 0.85


def test_thresholds_use_training_patients_only():
    (_, first), (_, second) = patient("a"), patient("bb")
    odd = second.assign(subject="odd", relative_grey=second["relative_grey"] ** 3)
    split = subjects(a="train", bb="train", odd="test")
    everyone = pd.concat([first, second, odd], ignore_index=True)
    fitted = fit_domains(select_splits(everyone, split, "train"), classes_of("brats2021"), 3, seed=1)
    assert fitted == fit_domains(pd.concat([first, second]), classes_of("brats2021"), 3, seed=1)
    leaked = fit_domains(pd.concat([first, second, odd]), classes_of("brats2021"), 3, seed=1)
    assert not np.allclose(thresholds(fitted), thresholds(leaked), atol=0.01)


def test_the_same_tissue_is_the_same_domain_in_a_darker_scan():
    domains = fit_domains(patient("a")[1], classes_of("brats2021"), 3, seed=1)
    cells, table = patient("bb", gain=0.6)
    partition, truth = assign(cells, table, domains), tissue_greys(noise=0)
    for tissue, domain in TISSUE_DOMAINS.items():
        assert np.mean(partition[(truth == tissue) & (cells > 0)] == domain) > 0.85


def test_large_cells_weigh_more_than_small_ones():
    cells = pd.DataFrame({"relative_grey": [0.0, 0.4, 1.0], "area_mm2": [1000.0, 1.0, 1000.0]})
    low = fit_domains(cells, classes_of("brats2021"), 2, seed=1)
    high = fit_domains(cells.assign(area_mm2=[1.0, 1000.0, 1.0]), classes_of("brats2021"), 2, seed=1)
    assert thresholds(low)[0] == pytest.approx(0.5, abs=0.01)
    assert thresholds(high)[0] > 0.6


def test_tumour_comes_from_the_labels_and_everything_is_covered_once():
    labels = tumour_labels()
    labels[18, 20] = 4
    cells, table = patient("a")
    domains = fit_domains(table, classes_of("brats2024-gli"), 2, seed=1)
    partition = partition_slice(labels, cells, table, domains)
    assert np.array_equal(partition > 0, brain_mask() | (labels > 0))
    for value in (1, 2, 3, 4):
        assert np.array_equal(partition == value, labels == value)


def test_more_domains_than_grey_levels_are_refused():
    cells = pd.DataFrame({"relative_grey": [0.5, 0.5, 1.0], "area_mm2": 1.0})
    with pytest.raises(InputError, match="healthy_domains is 3"):
        fit_domains(cells, classes_of("brats2021"), 3, seed=1)


def test_domains_survive_their_file(tmp_path):
    domains = fit_domains(patient("a")[1], classes_of("brats2024-gli"), 3, seed=1)
    save_domains(tmp_path / "domains.json", domains, "T1", 1)
    assert load_domains(tmp_path / "domains.json") == (domains, "T1")

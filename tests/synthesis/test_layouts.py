"""Layouts come from training patients only, evenly and reproducibly, and everything in them fits."""

import numpy as np
import pandas as pd
import pytest

from mosaicmr.cohort.labels import TUMOUR_CLASSES, LabelScheme
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.errors import InputError
from mosaicmr.partition.domains import Domain
from mosaicmr.prompts.looks import LookScale, read_looks
from mosaicmr.prompts.templates import facts_of, write_prompt
from mosaicmr.synthesis.annotated_slice import AnnotatedSlice
from mosaicmr.synthesis.layouts import (
    LayoutSettings,
    draw_layout,
    fluid_domain,
    plan_layouts,
    tabulate_layouts,
    training_slices,
)
from tests.support.small_slices import PIXEL, TISSUE_DOMAINS, brain_mask, tissue_greys, tumour_labels

DOMAINS = [
    Domain(1, "necrosis", "tumour", tumour_class=1),
    Domain(2, "oedema", "tumour", tumour_class=2),
    Domain(3, "enhancing", "tumour", tumour_class=3),
    *(Domain(3 + k, f"healthy{k}", "healthy", grey_low=(k - 1) / 3, grey_high=k / 3) for k in (1, 2, 3)),
]
HEADER = SliceHeader(("T1", "T2"), PIXEL, LabelScheme.named("brats2021").classes)
SETTINGS = LayoutSettings(mirror=0.5, transplant=0.5, deformation=3.0)


def annotated(row: float = 18, column: float = 20, radius: float = 5, seed: int = 0) -> AnnotatedSlice:
    labels, grey = tumour_labels(row, column, radius), tissue_greys(noise=0)
    domains = np.zeros_like(labels)
    for tissue, domain in TISSUE_DOMAINS.items():
        domains[grey == tissue] = domain
    domains[labels > 0] = labels[labels > 0]
    image = np.where(labels > 0, 0.3, tissue_greys(seed=seed)).astype(np.float32)
    return AnnotatedSlice(np.stack([image, image**2]), labels, brain_mask().astype(np.uint8), domains)


def cohort() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Slices of six patients; the last two are held out, and p0 has many slices."""
    counts = {"p0": 6, "p1": 2, "p2": 2, "p3": 2, "p4": 3, "p5": 3}
    rows = [(f"{p}-z{z}", p, p, 0.5 + 0.02 * z) for p, count in counts.items() for z in range(count)]
    names = list(counts)
    subjects = pd.DataFrame({"subject": names, "patient": names, "split": ["train"] * 4 + ["val", "test"]})
    return pd.DataFrame(rows, columns=["slice", "subject", "patient", "height"]), subjects


def training() -> pd.DataFrame:
    return training_slices(*cohort())


def draw(numbers, settings=SETTINGS, seed=1):
    table = training()
    places = {name: (16 + 2 * (i % 4), 20 + 23 * (i % 2)) for i, name in enumerate(table["slice"])}
    slices = {name: annotated(*place, seed=i) for i, (name, place) in enumerate(places.items())}
    plans = plan_layouts(table, numbers, settings, seed)
    return [draw_layout(plan, slices, DOMAINS, "T1", PIXEL, settings, seed) for plan in plans]


def test_layouts_come_from_training_patients_only():
    plans = plan_layouts(training(), range(1, 101), LayoutSettings(0.5, 1.0, 3.0), seed=1)
    used = {name.split("-")[0] for plan in plans for name in (plan.source, *plan.donors)}
    assert used == {"p0", "p1", "p2", "p3"}


def test_no_training_slice_is_an_error_with_a_remedy():
    slices, subjects = cohort()
    with pytest.raises(InputError, match="min_tumour_area"):
        training_slices(slices, subjects.assign(split="test"))


def test_patients_are_drawn_evenly_and_all_their_slices():
    plans = plan_layouts(training(), range(1, 25), SETTINGS, seed=1)
    patients = [plan.source.split("-")[0] for plan in plans]
    assert {patients.count(patient) for patient in set(patients)} == {6}
    assert len({plan.source for plan in plans}) == 12


def test_a_donor_is_another_patient_at_a_similar_level():
    table = training().set_index("slice")
    plans = plan_layouts(training(), range(1, 51), LayoutSettings(0.5, 1.0, 3.0), seed=1)
    pairs = [(plan.source, donor) for plan in plans for donor in plan.donors]
    assert len(pairs) > 50
    for source, donor in pairs:
        assert table.loc[source, "patient"] != table.loc[donor, "patient"]
        assert abs(table.loc[source, "height"] - table.loc[donor, "height"]) <= 0.08


def test_a_layout_depends_on_its_number_and_seed_and_not_on_its_batch():
    alone, together = draw([5])[0], draw(range(1, 9))[4]
    other = draw([5], seed=2)[0]
    assert alone.plan == together.plan
    assert alone.donor == together.donor
    for name in ("images", "labels", "brain", "domains"):
        assert np.array_equal(getattr(alone.annotated, name), getattr(together.annotated, name))
    assert not np.array_equal(alone.annotated.images, other.annotated.images)


def test_labels_brain_domains_and_source_fit_one_another():
    layouts = draw(range(1, 17))
    assert any(layout.donor for layout in layouts)
    assert any(layout.plan.mirrored for layout in layouts)
    for layout in layouts:
        one = layout.annotated
        assert np.array_equal(one.domains > 0, one.brain > 0)
        assert np.array_equal(np.where(one.domains <= 3, one.domains, 0), one.labels)
        assert not one.images[:, one.brain == 0].any()
        assert one.images.min() >= 0
        assert one.images.max() <= 1
        assert (one.labels > 0).sum() > 20
        # Warped pixels still look like the tissue that the warped domains say they are.
        means = [one.images[0][one.domains == domain].mean() for domain in (4, 5, 6)]
        assert means[0] < means[1] - 0.1 < means[2] - 0.2


def test_without_any_change_the_layout_is_the_source_slice():
    layout = draw([1], LayoutSettings(0, 0, 0))[0]
    reference = annotated().brain
    assert layout.donor is None
    assert np.array_equal(layout.annotated.brain, reference)
    mirrored = draw([1], LayoutSettings(1, 0, 0))[0].annotated
    assert np.array_equal(mirrored.labels, layout.annotated.labels[:, ::-1])
    assert np.array_equal(mirrored.images, layout.annotated.images[:, :, ::-1])


def test_the_table_says_what_was_drawn_and_a_mirrored_tumour_changes_its_side_in_the_prompt():
    def table(mirror: float) -> pd.DataFrame:
        layouts = draw([1, 2], LayoutSettings(mirror, 0, 0))
        return tabulate_layouts(layouts, training(), DOMAINS, HEADER, LookScale({}))

    plain, mirrored = table(0), table(1)
    assert list(plain["slice"]) == ["s00001", "s00002"]
    assert list(plain["row"]) == [0, 1]
    assert plain["donor_slice"].isna().all()
    assert mirrored["mirrored"].all()
    assert (plain["area_oedema_mm2"] > 0).all()
    swap = {"right": "left", "left": "right"}
    for column in ("prompt_whole", "prompt_necrosis", "prompt_healthy3"):
        for before, after in zip(plain[column], mirrored[column], strict=True):
            assert after != before
            assert after == " ".join(swap.get(word, word) for word in before.split(" "))
    assert not any(name in prompt for name in ("p0", "p1", "p2", "p3") for prompt in plain["prompt_whole"])


def test_what_a_prompt_asks_for_stands_in_the_table_and_nothing_else_does():
    layouts = draw([1, 2])
    # The source's tumour has a grey of 0.3, up to interpolation; a class without a scale is asked for nothing.
    scale = LookScale({(2, "T1"): (0.1, 0.2, 1.0), (2, "T2"): (0.5, 0.6, 0.0)})
    table = tabulate_layouts(layouts, training(), DOMAINS, HEADER, scale)
    assert list(table["brightness_oedema_T1"]) == ["bright"] * 2
    assert list(table["texture_oedema_T1"]) == ["homogeneous"] * 2
    assert list(table["brightness_oedema_T2"]) == ["dark"] * 2
    assert table["brightness_enhancing_T1"].isna().all() and table["texture_necrosis_T2"].isna().all()
    for layout, (_, row) in zip(layouts, table.iterrows(), strict=True):
        facts = facts_of(
            layout.annotated.labels,
            layout.annotated.brain,
            row["height"],
            PIXEL,
            read_looks(row, TUMOUR_CLASSES, ["T1", "T2"]),
        )
        assert write_prompt("whole", facts, ["T1", "T2"]) == row["prompt_whole"]


def test_fluid_is_dark_but_in_t2_and_needs_three_domains():
    assert fluid_domain(DOMAINS, "T1") == 4
    assert fluid_domain(DOMAINS, "T2") == 6
    assert fluid_domain(DOMAINS[:5], "T1") is None

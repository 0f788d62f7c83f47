"""A sweep asks for one layout in other words, from the same noise, and measures what comes of it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mosaicmr.cohort.labels import LabelScheme
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.diffusion.base import Base
from mosaicmr.diffusion.denoiser import Denoiser
from mosaicmr.partition.domains import WHOLE
from mosaicmr.prompts.looks import Look, LookScale, tabulate_looks
from mosaicmr.prompts.templates import facts_of, write_prompt
from mosaicmr.synthesis.generation import Sampler, Start, synthesize_slices
from mosaicmr.synthesis.inputs import Embeddings, Layouts
from mosaicmr.synthesis.prompt_sweep import choose_layout, measure_sweep, repeat_layout, sweep_prompts
from tests.support.fake_experts import GreyPainter, grey_layouts, grey_sampler
from tests.support.small_slices import PIXEL, brain_mask, tumour_labels

MODALITIES = ["FLAIR", "T2"]
CLASSES = LabelScheme.named("brats2021").classes
HEADER = SliceHeader(tuple(MODALITIES), PIXEL, CLASSES)
LOOKS = (Look(2, "FLAIR", 0, 1), Look(2, "T2", 2, 0), Look(3, "FLAIR", 1, 0), Look(3, "T2", 1, 0))


def layout_row(looks=LOOKS, areas=(500.0, 400.0, 300.0)) -> dict:
    """A row of the table of layouts. areas: of necrosis, oedema and enhancing tumour, in mm²."""
    named = {f"area_{tumour.name}_mm2": area for tumour, area in zip(CLASSES, areas, strict=True)}
    return {"slice": "s00001", "row": 0, "height": 0.6} | named | tabulate_looks(looks, CLASSES, MODALITIES)


def swept() -> pd.DataFrame:
    return sweep_prompts(pd.Series(layout_row()), tumour_labels(), brain_mask(), HEADER)


def test_the_layout_with_most_described_classes_is_chosen_and_then_the_one_with_the_largest_small_class():
    rows = [
        layout_row(LOOKS[:2], areas=(900, 900, 900)),
        layout_row(areas=(0, 400, 300)),
        layout_row(areas=(0, 350, 310)),
        layout_row(areas=(0, 350, 310)),
    ]
    assert choose_layout(pd.DataFrame(rows), HEADER) == 2


def test_without_a_described_class_there_is_nothing_to_vary():
    assert choose_layout(pd.DataFrame([layout_row(())]), HEADER) is None


def test_only_the_brightness_of_one_class_differs_between_its_prompts():
    table = swept()
    assert table["tumour_class"].tolist() == ["oedema"] * 3 + ["enhancing"] * 3
    assert table["brightness"].tolist() == ["dark", "intermediate", "bright"] * 2
    prompts = table["prompt"].tolist()
    assert "oedema: FLAIR dark heterogeneous, T2 dark homogeneous. " in prompts[0]
    assert prompts[2] == prompts[0].replace("FLAIR dark", "FLAIR bright").replace("T2 dark", "T2 bright")
    # The layout asks for enhancing tumour that is intermediate everywhere, so that row is its own prompt.
    assert prompts[4] == write_prompt(WHOLE, facts_of(tumour_labels(), brain_mask(), 0.6, PIXEL, LOOKS), MODALITIES)


def test_what_the_prompt_leaves_open_is_the_same_in_all_slices():
    layouts = repeat_layout(grey_layouts(), 3, ["paint whole"] * 4)
    images = synthesize_slices(grey_sampler(), layouts, GreyPainter(0.3), Start())
    assert images.std() > 0.1
    for image in images[1:]:
        assert np.array_equal(image, images[0])
    alone = synthesize_slices(grey_sampler(), grey_layouts(), GreyPainter(0.3), Start())[3]
    assert np.allclose(images[0], alone, atol=2e-3)


def test_the_region_a_prompt_is_about_is_measured_in_each_modality():
    labels = np.zeros((16, 16), np.uint8)
    labels[2:8, 2:8], labels[10:14, 10:14] = 2, 3
    images = np.zeros((6, 2, 16, 16), np.float16)
    images[2, 0, 2:8, 2:8] = 0.9
    scale = LookScale({(value, modality): (0.2, 0.5, 0.1) for value in (2, 3) for modality in MODALITIES})
    table = measure_sweep(images, labels, swept(), scale, replace(HEADER, pixel_size=2.0))
    assert len(table) == 6 * 2
    bright = table[(table["row"] == 2) & (table["modality"] == "FLAIR")].iloc[0]
    assert (bright["tumour_class"], bright["brightness"], bright["measured"]) == ("oedema", "bright", "bright")
    assert bright["mean"] == pytest.approx(0.9, abs=1e-3) and (bright["lower"], bright["upper"]) == (0.2, 0.5)
    assert (table.drop(bright.name)["measured"] == "dark").all()


def test_a_real_network_and_its_text_encoder_draw_the_sweep(base):
    base = Base.open(base, MODALITIES, precision="fp32")
    domains = tumour_labels()[None, ::2, ::2]
    domains = np.where(domains > 0, domains, 4 * brain_mask()[None, ::2, ::2]).astype(np.uint8)
    header = SliceHeader(
        tuple(MODALITIES),
        PIXEL,
        LabelScheme.named("brats2021").classes,
        ("necrosis", "oedema", "enhancing", "healthy1"),
    )
    arrays = {"domains": domains, "source": np.zeros((1, 2, 32, 32), np.float16)}
    layouts = Layouts(header, pd.DataFrame([layout_row()]), arrays)
    prompts = swept()
    embeddings = Embeddings.embed(base.text_encoder, prompts["prompt"])
    settings = {"steps": 2, "guidance_scale": 2.0, "share_noise": True}
    sampler = Sampler.of(base, embeddings, settings, 1)
    whole = Denoiser.load(base)
    images = synthesize_slices(sampler, repeat_layout(layouts, 0, prompts["prompt"]), whole, Start())
    assert images.shape == (6, 2, 32, 32) and np.isfinite(images).all()
    assert not np.array_equal(images[0], images[2])

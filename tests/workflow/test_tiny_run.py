"""One whole workflow on 32 x 32 pixels, phantom to report: its outputs, and the jobs that a change repeats."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mosaicmr.io import load_arrays, load_json, load_table
from tests.support.workflow import planned
from tests.workflow.conftest import TinyRun

pytestmark = pytest.mark.workflow

METRICS = {
    "fid",
    "frechet_efficientnet_train",
    "frechet_efficientnet_test",
    "kid_test",
    "ssim_brain",
    "ssim_slice",
    "radiomics_auc",
    "frechet_radiomics",
    "copy_rate",
    "mask_dice",
    "prompt_brightness",
    "prompt_brightness_chance",
    "prompt_texture",
    "prompt_texture_chance",
    "seam_index",
}
VARIANTS = {"independent", "single", "independent_from_source", "single_from_source"}
ARMS = {"real", "real+classical", "real+synthetic", "synthetic"}
CLASSES = {"necrosis", "oedema", "enhancing"}
EXPERTS = CLASSES | {"healthy1", "healthy2", "whole"}
SLICES, MODALITIES = 6, 4


def check_metric(metric: dict) -> None:
    """A metric has a value inside its interval, or says why not."""
    assert {"value", "low", "high", "n"} <= set(metric)
    numbers = [metric[name] for name in ("low", "value", "high")]
    if None in numbers:
        assert metric["why"]
    else:
        assert numbers[0] - 1e-6 <= numbers[1] <= numbers[2] + 1e-6 or metric.get("why")


def test_the_summary_keeps_its_contract(tiny_run: TinyRun):
    summary = load_json(tiny_run.results / "summary.json")
    assert summary["scans"] == {"accepted": 6, "doubtful": 0, "refused": 0, "incomplete": 0}
    assert set(summary) == {"run", "scans", "patients", "slices", "variants", "floor", "utility", "published"}
    assert summary["run"] == "tiny"
    assert set(summary["patients"]) == {"train", "val", "test"}
    assert sum(summary["patients"].values()) == 6
    assert summary["slices"]["synthetic"] == SLICES
    assert set(summary["variants"]) == VARIANTS
    assert set(summary["utility"]) == ARMS
    for measured in (*summary["variants"].values(), summary["floor"]):
        assert set(measured) == METRICS
        for metric in measured.values():
            check_metric(metric)
    for arm in summary["utility"].values():
        for score in (arm["dsc"], arm["hd95"]):
            assert set(score) == CLASSES | {"mean"}
            for metric in score.values():
                check_metric(metric)
    assert summary["published"]["fid"] == 13.65


def test_what_can_be_measured_is_measured(tiny_run: TinyRun):
    summary = load_json(tiny_run.results / "summary.json")
    for variant in VARIANTS:
        measured = summary["variants"][variant]
        assert measured["fid"]["value"] is None  # no Inception file is given
        for name in ("frechet_efficientnet_train", "ssim_brain", "copy_rate", "prompt_brightness"):
            assert measured[name]["value"] is not None, (variant, name)
    assert summary["utility"]["real"]["dsc"]["mean"]["value"] is not None


def test_the_data_set_pairs_each_image_with_a_label_map(tiny_run: TinyRun):
    folder = tiny_run.results / "dataset"
    facts = load_json(folder / "dataset.json")
    assert facts["numTraining"] == SLICES
    assert list(facts["channel_names"].values()) == ["FLAIR", "T1", "T1ce", "T2"]
    labels = sorted((folder / "labelsTr").iterdir())
    assert len(labels) == SLICES
    assert len(list((folder / "imagesTr").iterdir())) == SLICES * MODALITIES
    for path in labels:
        label = np.asarray(nib.load(path).dataobj)
        image = nib.load(folder / "imagesTr" / path.name.replace(".nii.gz", "_0000.nii.gz"))
        assert image.shape == label.shape
        assert 32 in image.shape
        assert label.max() >= 1
        assert np.asarray(image.dataobj)[label > 0].any()


def test_no_subject_of_the_cohort_is_named_in_what_is_handed_on(tiny_run: TinyRun):
    texts = [path.read_text() for path in (tiny_run.results / "dataset").iterdir() if path.is_file()]
    texts.append((tiny_run.results / "summary.json").read_text())
    for text in texts:
        assert "BraTS2021" not in text
        for subject in load_table(tiny_run.results / "cohort" / "subjects.parquet")["subject"]:
            assert subject not in text


def test_only_training_patients_lie_behind_the_layouts(tiny_run: TinyRun):
    subjects = load_table(tiny_run.results / "cohort" / "subjects.parquet")
    training = set(subjects.loc[subjects["split"] == "train", "patient"])
    layouts = pd.concat(map(load_table, sorted((tiny_run.results / "layouts").glob("*.parquet"))))
    assert len(layouts) == SLICES
    assert layouts["slice"].is_unique
    assert set(layouts["patient"]) | set(layouts["donor_patient"].dropna()) <= training


def test_every_variant_draws_every_slice_within_its_brain(tiny_run: TinyRun):
    for variant in VARIANTS:
        for batch in sorted((tiny_run.results / "layouts").glob("*.safetensors")):
            layout = load_arrays(batch, ["brain"])
            images = load_arrays(tiny_run.results / "synthetic" / variant / "slices" / batch.name)["images"]
            assert images.dtype == np.float16
            assert images.shape[1:] == (MODALITIES, 32, 32)
            assert 0 <= images.min() < images.max() <= 1
            assert not images.transpose(0, 2, 3, 1)[layout["brain"] == 0].any()


def test_the_prompt_sweep_is_of_one_layout_and_each_of_its_classes(tiny_run: TinyRun):
    table = load_table(tiny_run.results / "synthetic" / "prompt_sweep.parquet")
    drawn = load_arrays(tiny_run.results / "synthetic" / "prompt_sweep.safetensors", ["images", "labels"])
    assert table["slice"].nunique() == 1
    assert len(drawn["images"]) == 3 * table["tumour_class"].nunique()
    assert not (drawn["images"][0] == drawn["images"][2]).all()
    assert set(table["brightness"]) == {"dark", "intermediate", "bright"}


def test_every_expert_has_its_weights_and_its_curve(tiny_run: TinyRun):
    for expert in EXPERTS:
        folder = tiny_run.results / "experts" / expert
        assert (folder / "adapter_model.safetensors").stat().st_size > 0
        curve = load_table(folder / "training.parquet")
        assert curve["step"].max() == 4
        assert np.isfinite(curve["loss"]).all()


def test_the_adapted_base_is_what_the_experts_were_trained_on(tiny_run: TinyRun):
    facts = load_json(tiny_run.results / "base" / "adapted.json")
    assert facts["base"] == "base"
    assert facts["steps"] == load_table(tiny_run.results / "base" / "training.parquet")["step"].max() == 4
    for expert in EXPERTS:
        assert load_json(tiny_run.results / "experts" / expert / "expert.json")["base"] == facts["name"]


def test_figures_are_drawn_and_the_report_holds_them(tiny_run: TinyRun):
    names = {
        "partition",
        "training",
        "radiomics",
        "segmentation",
        "prompts",
        "prompt_accuracy",
        *(f"grid_{variant}" for variant in VARIANTS),
    }
    for name in names:
        with Image.open(tiny_run.results / "figures" / f"{name}.png") as picture:
            assert picture.convert("L").getextrema()[0] < 128, f"{name} is blank"
        assert (tiny_run.results / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    table = pd.read_csv(tiny_run.results / "tables" / "metrics.csv")
    assert len(table) >= len(METRICS)
    report = (tiny_run.results / "report.html").read_text(encoding="utf-8")
    assert "<html" in report
    for name in names:
        assert name in report


def test_nothing_half_written_is_left(tiny_run: TinyRun):
    left = [path for path in tiny_run.results.rglob("*") if path.name.startswith(".partial-")]
    assert not left
    assert not list((tiny_run.results / "checkpoints").rglob("*.safetensors"))


def test_a_second_call_does_nothing_and_says_so(tiny_run: TinyRun):
    again = tiny_run.again()
    assert again.returncode == 0
    assert "Nothing to be done" in again.stdout


def test_a_run_of_another_name_leaves_this_one_alone(tiny_run: TinyRun):
    before = (tiny_run.results / "summary.json").read_bytes()
    jobs = planned(tiny_run.again("--dry-run", config=("run=other",)))
    assert jobs["build_phantom"] == 6
    assert (tiny_run.results / "summary.json").read_bytes() == before
    assert json.loads(before)["run"] == "tiny"

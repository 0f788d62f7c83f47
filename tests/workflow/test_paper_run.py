"""config/paper.yaml on a Stable-Diffusion-shaped base from a hub, with random weights: all of it but for the sizes."""

from pathlib import Path

import numpy as np
import pytest

from mosaicmr.io import load_arrays, load_json
from tests.support.cohorts import write_cohort
from tests.support.hub import COMMIT, serve_hub
from tests.support.workflow import snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


MODEL = "owner/tiny-diffusion"


def test_the_paper_configuration_runs_on_a_stable_diffusion_of_the_hub(
    tmp_path: Path, stable_diffusion: Path, monkeypatch: pytest.MonkeyPatch
):
    write_cohort(tmp_path / "cohort")
    # config/tiny.yaml over config/paper.yaml: the paper's stages, cohort and base, in the smallest size.
    config = [
        "run=paper",
        f"cohort_dir={tmp_path / 'cohort'}",
        "device=cpu",
        f"base={{model: {MODEL}, revision: '{COMMIT}'}}",
    ]
    config += ["cohort={split: {train: 0.6, val: 0.2, test: 0.2}}", "layouts={slices_per_batch: 4}"]
    targets = [f"results/paper/{path}" for path in ("dataset", "synthetic/single/slices/b0001.safetensors")]
    with serve_hub(MODEL, stable_diffusion) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        fetched = f"results/models/{MODEL.replace('/', '--')}/{COMMIT}/origin.json"
        run = snakemake(tmp_path, fetched, "--config", *config, configs=["paper", "tiny"])
        assert run.returncode == 0, run.stdout[-6000:]
    # From here on there is no hub any more.
    run = snakemake(tmp_path, *targets, "--config", *config, configs=["paper", "tiny"], timeout=1800)
    assert run.returncode == 0, run.stdout[-6000:]
    results = tmp_path / "results" / "paper"
    # config/tiny.yaml adapts the base, too.
    adapted = load_json(results / "base" / "adapted.json")
    assert adapted["base"] == MODEL
    assert load_json(results / "experts" / "whole" / "expert.json")["base"] == adapted["name"]
    assert load_json(results / "dataset" / "dataset.json")["numTraining"] == 6
    for name in ("independent/slices/b0000", "single/slices/b0001"):
        images = load_arrays(results / "synthetic" / f"{name}.safetensors")["images"]
        assert images.shape[1:] == (4, 32, 32)
        assert np.isfinite(images).all()
        assert images.any()

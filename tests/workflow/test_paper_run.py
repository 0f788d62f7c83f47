"""config/paper.yaml on a Stable-Diffusion-shaped base with random weights: the whole path but for the sizes."""

from pathlib import Path

import numpy as np
import pytest

from mosaicmr.io import load_arrays, load_json
from tests.support.cohorts import write_cohort
from tests.support.workflow import snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def test_the_paper_configuration_runs_on_a_stable_diffusion_folder(tmp_path: Path, tiny_stable_diffusion: Path):
    write_cohort(tmp_path / "cohort")
    # config/tiny.yaml over config/paper.yaml: the paper's stages, cohort and base, in the smallest size.
    config = [
        "run=paper",
        f"cohort_dir={tmp_path / 'cohort'}",
        "device=cpu",
        f"base={{model: {tiny_stable_diffusion}}}",
    ]
    config += ["cohort={split: {train: 0.6, val: 0.2, test: 0.2}}", "layouts={slices_per_batch: 4}"]
    targets = [f"results/paper/{path}" for path in ("dataset", "synthetic/single/slices/b0001.safetensors")]
    run = snakemake(tmp_path, *targets, "--config", *config, configs=["paper", "tiny"], timeout=1800)
    assert run.returncode == 0, run.stdout[-6000:]
    results = tmp_path / "results" / "paper"
    assert load_json(results / "dataset" / "dataset.json")["numTraining"] == 6
    for name in ("independent/slices/b0000", "single/slices/b0001"):
        images = load_arrays(results / "synthetic" / f"{name}.safetensors")["images"]
        assert images.shape[1:] == (4, 32, 32)
        assert np.isfinite(images).all()
        assert images.any()

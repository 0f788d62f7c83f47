"""Every shipped configuration plans its jobs, quickly, and without loading what only the jobs need."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.cohorts import touch_cohort, write_cohort
from tests.support.planner import PlanServer
from tests.support.workflow import CHECKOUT, planned

SCHEMES = 2  # `independent` and `single`, each from noise and from a source slice


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    write_cohort(folder)
    return folder


def test_the_embedded_default_plans_a_phantom_and_every_stage(tmp_path: Path, plan_server: PlanServer):
    jobs = planned(plan_server.plan(tmp_path))
    assert jobs["build_phantom"] == 12
    assert jobs["finetune_expert"] == 3 + 3 + 1  # three tumour classes, three healthy domains, the whole slice
    assert jobs["train_segmenter"] == 4
    assert jobs["figure_grid"] == 2 * SCHEMES
    assert "adapt_base" not in jobs
    assert jobs["summarize_run"] == jobs["export_dataset"] == jobs["write_report"] == 1


def test_the_tiny_configuration_plans_shards_and_batches(tmp_path: Path, plan_server: PlanServer):
    jobs = planned(plan_server.plan(tmp_path, configs=["tiny"]))
    assert jobs["build_phantom"] == 6
    assert jobs["check_subjects"] == jobs["extract_slices"] == jobs["partition_slices"] >= 2
    assert jobs["draw_layouts"] == 1


def test_a_configuration_that_names_variants_plans_those_and_no_others(tmp_path: Path, plan_server: PlanServer):
    files = ["--configfile"]
    for name, chosen in {"first": variants("a", "b"), "second": variants("c", "a")}.items():
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump(chosen))
        files.append(str(file))
    assert grids(plan_server, tmp_path, *files) == {"c", "a"}
    words = [f"{group}={json.dumps(value)}" for group, value in variants("d").items()]
    assert grids(plan_server, tmp_path, "--config", *words, *files) == {"d"}


def test_an_output_that_a_kill_cut_off_is_made_again(tmp_path: Path, plan_server: PlanServer):
    output = "results/demo/phantom/BraTS2021_P0001/BraTS2021_P0001_seg.nii.gz"
    (tmp_path / output).parent.mkdir(parents=True)
    (tmp_path / output).touch()
    # Snakemake's mark on an output whose job has begun and not ended.
    mark = tmp_path / ".snakemake" / "incomplete" / base64.urlsafe_b64encode(output.encode()).decode()
    mark.parent.mkdir(parents=True)
    mark.write_text("{}")
    refused = plan_server.plan(tmp_path, output, "--workflow-profile", "none")
    assert refused.returncode != 0 and "--rerun-incomplete" in refused.stdout
    assert planned(plan_server.plan(tmp_path, output)) == {"build_phantom": 1}


def variants(*names: str) -> dict:
    """A configuration of these variants, the first for export."""
    chosen = {name: {"scheme": "joint", "start": "noise"} for name in names}
    return {"synthesis": {"variants": chosen}, "export": {"variant": names[0]}}


def grids(plan_server: PlanServer, directory: Path, *arguments: str) -> set[str]:
    """The variants whose grids a run would draw."""
    run = plan_server.plan(directory, *arguments)
    assert planned(run)["figure_grid"] > 0
    return set(re.findall(r"figures/grid_(\w+)\.png$", run.stdout, re.MULTILINE))


def test_an_adaptation_is_one_more_job(tmp_path: Path, plan_server: PlanServer):
    jobs = planned(plan_server.plan(tmp_path, "--config", "adaptation={steps: 100}"))
    assert jobs.pop("adapt_base") == 1
    assert jobs == planned(plan_server.plan(tmp_path))


def test_pretraining_plans_its_one_job(tmp_path: Path, plan_server: PlanServer):
    assert planned(plan_server.plan(tmp_path, "pretrain_base")) == {"pretrain_base": 1}


def test_a_real_cohort_plans_no_phantom(tmp_path: Path, cohort: Path, plan_server: PlanServer):
    jobs = planned(plan_server.plan(tmp_path, "--config", "run=brats", f"cohort_dir={cohort}", configs=["brats"]))
    assert "build_phantom" not in jobs
    assert jobs["extract_slices"] >= 1


@pytest.mark.parametrize("base", ["as shipped", "local folder"])
def test_the_paper_configuration_plans_on_a_hub_id_and_on_a_folder(
    base: str, tmp_path: Path, cohort: Path, stable_diffusion: Path, plan_server: PlanServer
):
    config = ["run=paper", f"cohort_dir={cohort}"]
    if base == "local folder":
        config.append(f"base={{model: {stable_diffusion}}}")
    jobs = planned(plan_server.plan(tmp_path, "--config", *config, configs=["paper"]))
    assert jobs.get("fetch_base", 0) == (1 if base == "as shipped" else 0)
    assert jobs["finetune_expert"] == 3 + 4 + 1
    assert jobs["draw_layouts"] == 10_000 / 400  # slices over slices_per_batch


@pytest.mark.parametrize(("config", "batches"), [("brats", 1), ("paper", 25)])
def test_a_cohort_of_1500_subjects_is_a_few_hundred_jobs(
    config: str, batches: int, tmp_path: Path, plan_server: PlanServer
):
    touch_cohort(tmp_path / "cohort", 1500)
    settings = [f"run={config}", f"cohort_dir={tmp_path / 'cohort'}"]
    jobs = planned(plan_server.plan(tmp_path, "--config", *settings, configs=[config]))
    assert sum(jobs.values()) < 500
    for rule in ("check_subjects", "extract_slices", "tessellate_slices", "partition_slices", "encode_latents"):
        assert jobs[rule] == 32
    for rule in ("render_domains", "merge_renderings", "denoise_slices", "synthesize_slices"):
        assert jobs[rule] == 2 * batches  # from noise and from a source slice


def test_a_hub_id_without_a_commit_is_refused_before_anything_runs(tmp_path: Path, plan_server: PlanServer):
    run = plan_server.plan(tmp_path, "--config", "base={model: owner/model}")
    assert run.returncode != 0
    assert "The key 'base.revision' is null, but base.model is the hub id 'owner/model'" in run.stdout


@pytest.mark.parametrize("model", ["nonsense", "/nowhere/base"])
def test_a_base_that_is_not_there_is_refused_before_anything_runs(model: str, tmp_path: Path, plan_server: PlanServer):
    run = plan_server.plan(tmp_path, "--config", f"base={{model: {model}}}")
    assert run.returncode != 0
    assert f"'{model}'" in run.stdout and "name a bundled base" in run.stdout


def test_a_subset_of_the_modalities_in_another_order_plans(tmp_path: Path, plan_server: PlanServer):
    jobs = planned(plan_server.plan(tmp_path, "--config", "cohort={modalities: [T2, FLAIR]}"))
    assert jobs["build_phantom"] == 12


def test_planning_loads_neither_torch_nor_the_libraries_of_the_stages(tmp_path: Path):
    command = [sys.executable, "-X", "importtime", "-m", "snakemake", "--dry-run", "--quiet", "all", "--cores", "1"]
    command += ["--snakefile", str(CHECKOUT / "Snakefile"), "--directory", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0
    loaded = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines() if line.startswith("import time")}
    assert "mosaicmr.config" in loaded
    assert not loaded & {"torch", "sklearn", "skimage", "scipy", "nibabel", "diffusers", "matplotlib"}

"""The mutation matrix: after each edit, exactly the rules that it can change would run again.

Every edit is made on a finished tiny run in a checkout of its own, planned by Snakemake, and taken back.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.edits import edited, kept, without
from tests.support.planner import Planner
from tests.workflow.data_flow import FIGURES, RULES, following
from tests.workflow.matrix import EDITS, KEYS, NETWORKS, VARIANTS, with_variants

pytestmark = pytest.mark.workflow


def test_nothing_edited_runs_nothing(planner: Planner):
    assert planner.jobs() == {}


@pytest.mark.parametrize("key", KEYS)
def test_a_key_of_the_configuration_reruns_what_reads_it(key: str, planner: Planner):
    assert set(planner.jobs(key)) == following(KEYS[key])


# Keys without a row: a test of their own below, or nothing to be told by the tiny run.
WITHOUT_A_ROW = {
    "run": "test_every_rule_of_a_run_is_in_the_specification",
    "partition.healthy_domains": "test_another_number_of_healthy_domains_keeps_the_slices",
    "base.model": "test_other_weights_of_the_base_rerun_every_network",
    "export.variant": "test_another_variant_for_export_trains_the_arms_with_synthetic_slices_anew",
    "phantom.patients": "test_one_more_patient_touches_its_shard_and_what_depends_on_the_whole_cohort",
    "synthesis.variants": "test_a_joint_variant_is_made_and_measured_and_no_expert_is_trained",
    "cohort_dir": "of a real cohort only",
    "cohort.source": "of a real cohort only",
    "cohort.masks": "of a real cohort only",
    "cohort.table": "of a real cohort only",
    "cohort.patients": "of a real cohort only",
    "cohort.label_scheme": "the phantom has one",
    "cohort.classes": "the phantom has its own",
    "base.revision": "of a base model from the hub only",
    "export.like": "test_names_of_another_data_set_export_anew",
    "export.bids": "test_a_bids_derivative_is_a_job_more_and_nothing_is_made_anew",
}


def leaves(group: dict, prefix: str = "") -> Iterator[str]:
    """The dotted names of all keys of a configuration but those of `pretrain`; a variant or a split is one value."""
    for key, value in group.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and name not in ("pretrain", "synthesis.variants", "cohort.split"):
            yield from leaves(value, f"{name}.")
        else:
            yield name


def test_every_key_of_the_configuration_has_a_row_or_says_why_not(planner: Planner):
    shipped = yaml.safe_load((planner.checkout / "config" / "config.yaml").read_text())
    rows = {name for key in KEYS for name in leaves(yaml.safe_load(key.replace("=", ": ", 1)))}
    assert set(leaves(shipped)) == rows | set(WITHOUT_A_ROW)
    for reason in WITHOUT_A_ROW.values():
        assert reason in globals() or not reason.startswith("test_"), reason


def test_a_joint_variant_is_made_and_measured_and_no_expert_is_trained(planner: Planner):
    jobs = planner.jobs(with_variants(VARIANTS | {"joint": {"scheme": "joint", "start": "noise"}}))
    measured = {
        "extract_features",
        "extract_radiomics",
        "measure_mask_fidelity",
        "measure_prompt_accuracy",
        "figure_grid",
    }
    assert set(jobs) == {"synthesize_jointly"} | following(measured)
    for rule in ("synthesize_jointly", *measured):
        assert jobs[rule] == 1, rule


def test_a_variant_that_is_left_out_is_no_longer_summarised_and_nothing_is_made_anew(planner: Planner):
    kept = {name: variant for name, variant in VARIANTS.items() if name != "single_from_source"}
    jobs = planner.jobs(with_variants(kept))
    assert set(jobs) == following({"summarize_run", "figure_radiomics", "figure_prompt_accuracy"})


def test_another_number_of_healthy_domains_keeps_the_slices(planner: Planner):
    jobs = planner.jobs("partition={healthy_domains: 3}")
    assert set(jobs) == following({"fit_domains"})
    assert jobs["finetune_expert"] == 3 + 3 + 1


def test_another_variant_for_export_trains_the_arms_with_synthetic_slices_anew(planner: Planner):
    jobs = planner.jobs("export={variant: single}")
    # Masks are looked for by the segmenter of the arm real+classical.
    assert set(jobs) == following({"export_dataset", "train_segmenter"}) - {"measure_mask_fidelity"}
    assert jobs["train_segmenter"] == jobs["score_segmenter"] == 2


def test_names_of_another_data_set_export_anew(planner: Planner, tmp_path: Path):
    like = tmp_path / "dataset.json"
    like.write_text('{"channel_names": {"0": "T2"}, "labels": {"background": 0, "lesion": 1}}')
    assert planner.jobs(f"export={{like: {like}}}") == {"export_dataset": 1}


def test_a_bids_derivative_is_a_job_more_and_nothing_is_made_anew(planner: Planner):
    assert planner.jobs("export={bids: true}") == {"export_bids": 1}


@pytest.mark.parametrize("name", [name for name, (*_, rules) in EDITS.items() if rules])
def test_an_edited_text_reruns_what_it_can_change(name: str, planner: Planner):
    file, old, new, rules = EDITS[name]
    with edited(planner.checkout / file, old, new):
        assert set(planner.jobs()) == following(rules)


def test_edits_that_change_no_result_rerun_nothing_all_at_once(planner: Planner):
    with contextlib.ExitStack() as edits:
        for file, old, new, rules in EDITS.values():
            if not rules:
                edits.enter_context(edited(planner.checkout / file, old, new))
        assert planner.jobs() == {}


@pytest.mark.parametrize(
    "path", ["base/unet/diffusion_pytorch_model.safetensors", "results/tiny/domains/domains.json", "Snakefile"]
)
def test_a_touched_file_reruns_nothing(path: str, planner: Planner):
    file = planner.checkout / path
    assert file.is_file()
    with kept(file):
        os.utime(file)
        assert planner.jobs() == {}


def test_other_weights_of_the_base_rerun_every_network(planner: Planner):
    weights = planner.checkout / "base" / "unet" / "diffusion_pytorch_model.safetensors"
    with kept(weights):
        weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
        assert set(planner.jobs()) == following(NETWORKS)


def test_an_edited_scan_reruns_its_shard_and_the_whole_cohort(planner: Planner):
    scan = sorted((planner.checkout / "results" / "tiny" / "phantom").rglob("*_flair.nii.gz"))[0]
    with kept(scan):
        scan.write_bytes(scan.read_bytes() + b"\x00")
        jobs = planner.jobs()
    assert set(jobs) == following({"check_subjects", "judge_cohort", "extract_slices"})
    assert jobs["check_subjects"] == jobs["extract_slices"] == jobs["tessellate_slices"] == 1


def test_a_deleted_expert_is_trained_again_and_no_other(planner: Planner):
    with without(planner.checkout / "results" / "tiny" / "experts" / "healthy1"):
        jobs = planner.jobs()
    of_whole_slices = {"synthesize_slices", "synthesize_prompt_sweep", "figure_prompts"}
    assert set(jobs) == following({"finetune_expert"}) - of_whole_slices
    assert jobs["finetune_expert"] == 1


def test_a_deleted_adapted_base_is_made_again_and_all_that_starts_from_it(planner: Planner):
    with without(planner.checkout / "results" / "tiny" / "base"):
        assert set(planner.jobs()) == following({"adapt_base"})


def test_a_deleted_figure_is_drawn_again_and_nothing_else(planner: Planner):
    with without(planner.checkout / "results" / "tiny" / "figures" / "training.png"):
        assert planner.jobs() == {"figure_training": 1, "write_report": 1}


def test_one_more_patient_touches_its_shard_and_what_depends_on_the_whole_cohort(planner: Planner):
    jobs = planner.jobs("phantom={patients: 7}")
    assert set(jobs) == following({"build_phantom"})
    for rule in ("build_phantom", "check_subjects", "extract_slices", "tessellate_slices"):
        assert jobs[rule] == 1, rule


def test_every_rule_of_a_run_is_in_the_specification(planner: Planner):
    assert set(planner.jobs("run=other")) == RULES
    assert FIGURES < RULES

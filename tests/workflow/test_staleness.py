"""The mutation matrix: after each edit, exactly the rules that it can change would run again.

Every edit is made on a finished tiny run in a checkout of its own, planned by Snakemake, and taken back.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from modulefinder import ModuleFinder
from pathlib import Path

import pytest
import yaml

from tests.support.planner import Planner
from tests.workflow.conftest import TinyRun
from tests.workflow.data_flow import FIGURES, NETWORK_SAMPLING, RULES, TRAINING_PROMPTS, following

pytestmark = pytest.mark.workflow

NETWORKS = {"encode_latents", "embed_prompts", TRAINING_PROMPTS, "finetune_expert", *NETWORK_SAMPLING}
SEEDED = {
    "build_phantom",
    "split_cohort",
    "tessellate_slices",
    "fit_domains",
    "draw_layouts",
    "finetune_expert",
    *NETWORK_SAMPLING,
    "measure_fidelity",
    "extract_radiomics",
    "compare_radiomics",
    "measure_novelty",
    "train_segmenter",
    "score_segmenter",
    "measure_mask_fidelity",
    "table_metrics",
}
RESAMPLED = {
    "measure_fidelity",
    "compare_radiomics",
    "measure_novelty",
    "score_segmenter",
    "measure_mask_fidelity",
    "table_metrics",
}
SEGMENTED = {"train_segmenter", "score_segmenter", "measure_mask_fidelity"}

# Words for --config, and the rules that read the value: those, and what follows from them, run again.
KEYS = {
    "seed=2": SEEDED,
    # The last layout of a batch has this number and the first has 1: as a set of values, nothing has changed.
    "seed=6": SEEDED,
    "device=cpu": NETWORKS | SEGMENTED | {"extract_features"},
    "threads=2": set(),
    "cohort={max_shards: 1}": {"check_cohort", "extract_slices"},
    "cohort={subjects_per_shard: 2}": {"check_cohort", "extract_slices"},
    "cohort={modalities: [FLAIR, T1, T2]}": {"check_cohort", "extract_slices"},
    "cohort={slice_size: 64}": {"extract_slices"},
    "cohort={pixel_size: 5}": {"extract_slices"},
    "cohort={min_tumour_area: 120}": {"extract_slices"},
    "cohort={slice_spacing: 12}": {"extract_slices", "export_dataset"},
    "cohort={max_slices_per_subject: 2}": {"extract_slices"},
    "cohort={intensity_percentiles: [1, 99]}": {"extract_slices"},
    "cohort={split: {train: 0.6, val: 0.2, test: 0.2}}": {"split_cohort"},
    "phantom={voxel_size: 3}": {"build_phantom"},
    "phantom={tumour_grid: 6}": {"build_phantom"},
    "partition={cells: 50}": {"tessellate_slices"},
    "partition={iterations: 4}": {"tessellate_slices"},
    "partition={density_power: 0.5}": {"tessellate_slices"},
    "partition={grey_weight: 0.5}": {"tessellate_slices"},
    "partition={min_fragment_area: 36}": {"tessellate_slices"},
    "partition={reference_modality: FLAIR}": {"tessellate_slices", "fit_domains"},
    "base={precision: bf16}": {"finetune_expert", *NETWORK_SAMPLING},
    "experts={steps: 5}": {"finetune_expert"},
    "experts={rank: 3}": {"finetune_expert"},
    "experts={method: full}": {"finetune_expert"},
    "experts={batch_size: 3}": {"finetune_expert"},
    "experts={learning_rate: 0.001}": {"finetune_expert"},
    "experts={prompt_dropout: 0.2}": {"finetune_expert"},
    "experts={layout_dropout: 0.2}": {"finetune_expert"},
    "experts={context_weight: 0.2}": {"finetune_expert"},
    "experts={checkpoint_every: 1}": set(),
    "layouts={mirror: 0.25}": {"draw_layouts"},
    "layouts={transplant: 0.25}": {"draw_layouts"},
    "layouts={deformation: 1}": {"draw_layouts"},
    "layouts={slices: 5}": {"draw_layouts"},
    "layouts={slices_per_batch: 3}": {"draw_layouts"},
    "synthesis={steps: 3}": NETWORK_SAMPLING,
    "synthesis={guidance_scale: 3.0}": NETWORK_SAMPLING,
    "synthesis={share_noise: false}": NETWORK_SAMPLING,
    "synthesis={feather: 12}": {"merge_partitions"},
    "synthesis={merge_strength: 0.4}": {"denoise_slices"},
    "synthesis={variants: {single_from_source: {strength: 0.4}}}": {"synthesize_slices"},
    "evaluation={bootstrap: 12}": RESAMPLED,
    "evaluation={kid_subset: 3}": {"measure_fidelity"},
    "evaluation={inception_weights: Snakefile}": {"extract_features"},
    "evaluation={radiomics: {bin_count: 16}}": {"extract_radiomics"},
    "evaluation={radiomics: {max_slices: 5}}": {"extract_radiomics"},
    "evaluation={radiomics: {features: [firstorder, glcm]}}": {"extract_radiomics"},
    "evaluation={segmenter: {steps: 5}}": {"train_segmenter"},
    "evaluation={segmenter: {batch_size: 3}}": {"train_segmenter"},
    "evaluation={segmenter: {learning_rate: 0.001}}": {"train_segmenter"},
    "evaluation={segmenter: {channels: [4, 4]}}": {"train_segmenter"},
    "evaluation={segmenter: {seeds: [1, 2]}}": {"train_segmenter"},
    "pretrain={autoencoder: {steps: 9}}": set(),
}

# A file, the words in it to replace, by what, and the rules that run the code (or read the file).
EDITS = {
    "a docstring of the training": ("mosaicmr/diffusion/experts.py", '"""', '"""Indeed: ', set()),
    "a comment in the training": (
        "mosaicmr/diffusion/experts.py",
        "import hashlib",
        "import hashlib  # digests",
        set(),
    ),
    "a comment in a training script": (
        "workflow_scripts/finetune_expert.py",
        "def main(",
        "# Called below.\ndef main(",
        set(),
    ),
    "a comment in a rule": ("rules/experts.smk", "    threads: 1  #", "    threads: 1  # Note:", set()),
    "a comment in an environment": ("envs/diffusion.yaml", "channels:", "# Where from.\nchannels:", set()),
    "memory and time of a rule": ("rules/experts.smk", "runtime=720", "runtime=721", set()),
    "the number of a release": ("mosaicmr/__init__.py", '__version__ = "', '__version__ = "9', set()),
    "the order of keys": (
        "config/tiny.yaml",
        "  steps: 4\n  batch_size: 2\n  checkpoint_every: 2\n",
        "  checkpoint_every: 2\n  batch_size: 2\n  steps: 4\n",
        set(),
    ),
    "a template of the prompts": (
        "mosaicmr/diffusion/prompts.py",
        "axial brain MRI",
        "axial MRI of the brain",
        {"write_prompts", "draw_layouts", "finetune_expert"},
    ),
    "a comment in the configuration": ("config/tiny.yaml", "run: tiny", "run: tiny  # its name", set()),
    "a caption": ("docs/captions/grid.rst", " ", "  ", {"write_report"}),
    "the schema's words": ("config/schema.yaml", "type: object", "description: all\ntype: object", set()),
}


@pytest.fixture(scope="module")
def planner(tiny_run: TinyRun) -> Iterator[Planner]:
    with Planner(tiny_run.directory) as planner:
        yield planner


@contextlib.contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """The file with the first `old` in it replaced by `new`; as before afterwards."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def without(path: Path) -> Iterator[None]:
    """The file, or folder, moved away; back with its dates afterwards."""
    aside = path.with_name(f"{path.name}-aside")
    path.rename(aside)
    try:
        yield
    finally:
        aside.rename(path)


@contextlib.contextmanager
def kept(path: Path) -> Iterator[None]:
    """Whatever is done to the file, it has its bytes and dates again afterwards."""
    aside = path.with_name(f".{path.name}-kept")
    shutil.copy2(path, aside)
    try:
        yield
    finally:
        os.replace(aside, path)


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
    "cohort.label_scheme": "the phantom has one",
    "base.revision": "of a base model from the hub only",
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
    jobs = planner.jobs("synthesis={variants: {joint: {scheme: joint, start: noise}}}")
    measured = {"extract_features", "extract_radiomics", "measure_mask_fidelity", "figure_grid"}
    assert set(jobs) == {"synthesize_jointly"} | following(measured)
    for rule in ("synthesize_jointly", *measured):
        assert jobs[rule] == 1, rule


def test_a_joint_variant_reads_every_expert_and_the_blending(planner: Planner):
    script = planner.checkout / "workflow_scripts" / "synthesize_jointly.py"
    assert planner.checkout / "mosaicmr" / "synthesis" / "merge.py" in modules_run_by(script, planner.checkout)


def test_another_number_of_healthy_domains_keeps_the_slices(planner: Planner):
    jobs = planner.jobs("partition={healthy_domains: 3}")
    assert set(jobs) == following({"fit_domains"})
    assert jobs["finetune_expert"] == 3 + 3 + 1


def test_another_variant_for_export_trains_the_arms_with_synthetic_slices_anew(planner: Planner):
    jobs = planner.jobs("export={variant: single}")
    # Masks are looked for by the segmenter of the arm real+classical.
    assert set(jobs) == following({"export_dataset", "train_segmenter"}) - {"measure_mask_fidelity"}
    assert jobs["train_segmenter"] == jobs["score_segmenter"] == 2


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_text_reruns_what_it_can_change(name: str, planner: Planner):
    file, old, new, rules = EDITS[name]
    with edited(planner.checkout / file, old, new):
        assert set(planner.jobs()) == following(rules)


def both_files(rules: set[str]) -> set[str]:
    """The rules, and for the one that embeds prompts both of the files that it writes."""
    return rules | ({TRAINING_PROMPTS} if "embed_prompts" in rules else set())


def scripts_of(checkout: Path) -> dict[str, Path]:
    """The script of each rule of a run."""
    return {rule: checkout / "workflow_scripts" / f"{rule}.py" for rule in RULES}


def modules_run_by(script: Path, checkout: Path) -> set[Path]:
    """The library's files that a script can import, by the bytecode of all of its functions."""
    finder = ModuleFinder(path=[str(checkout)])
    finder.run_script(str(script))
    files = {Path(module.__file__) for module in finder.modules.values() if module.__file__}
    return {file for file in files if file.is_relative_to(checkout / "mosaicmr")}


def test_an_edited_module_of_the_library_reruns_the_scripts_that_import_it(planner: Planner):
    imports = {rule: modules_run_by(script, planner.checkout) for rule, script in scripts_of(planner.checkout).items()}
    wrong = {}
    for module in sorted((planner.checkout / "mosaicmr").rglob("*.py")):
        text = module.read_text(encoding="utf-8")
        module.write_text(f"{text}\nEDITED = True\n", encoding="utf-8")
        found = set(planner.jobs())
        module.write_text(text, encoding="utf-8")
        expected = following(both_files({rule for rule, modules in imports.items() if module in modules}))
        if found != expected:
            wrong[module.name] = found ^ expected
    assert not wrong


def test_an_edited_script_reruns_its_rule_and_what_follows(planner: Planner):
    wrong = {}
    for rule, script in scripts_of(planner.checkout).items():
        with edited(script, "def main(", "EDITED = True\n\n\ndef main("):
            found = set(planner.jobs())
        expected = following(both_files({rule}))
        if found != expected:
            wrong[rule] = found ^ expected
    assert not wrong


# What must never follow from an edit of each, whatever the modules import: written by hand.
@pytest.mark.parametrize(
    ("module", "spared"),
    [
        ("synthesis/merge.py", {"finetune_expert", "synthesize_partitions", "synthesize_slices", "extract_slices"}),
        ("synthesis/layouts.py", {"finetune_expert", "encode_latents", "write_prompts"}),
        ("evaluation/ssim.py", {"finetune_expert", "draw_layouts", "train_segmenter", "export_dataset"}),
        ("figures/grid.py", RULES - {"figure_grid", "write_report"}),
        ("diffusion/experts.py", {"extract_slices", "partition_slices", "encode_latents", "draw_layouts"}),
        ("cohort/split.py", {"build_phantom", "check_cohort", "extract_slices", "tessellate_slices"}),
        ("diffusion/pretraining.py", RULES),
    ],
)
def test_an_edited_module_spares_the_costly_rules_before_it(module: str, spared: set[str], planner: Planner):
    with edited(planner.checkout / "mosaicmr" / module, '"""', 'EDITED = True\n"""'):
        assert not spared & set(planner.jobs())


@pytest.mark.parametrize("environment", ["imaging", "diffusion", "evaluation", "figures"])
def test_another_version_in_an_environment_reruns_the_rules_that_run_in_it(environment: str, planner: Planner):
    path = planner.checkout / "envs" / f"{environment}.yaml"
    pin = next(text for text in yaml.safe_load(path.read_text())["dependencies"][-1]["pip"] if "numpy==" in text)
    rules = {rule for rule in RULES if f"{environment}.yaml" in rule_text(planner.checkout, rule)}
    assert rules
    with edited(path, pin, f"{pin}.1"):
        assert set(planner.jobs()) == following(both_files(rules))


def rule_text(checkout: Path, rule: str) -> str:
    """A rule as it stands in its file."""
    everything = "\n".join(path.read_text() for path in sorted((checkout / "rules").glob("*.smk")))
    return everything.split(f"rule {rule}:")[1].split("script:")[0]


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
    assert set(jobs) == following({"check_cohort", "extract_slices"})
    assert jobs["check_cohort"] == jobs["extract_slices"] == jobs["tessellate_slices"] == 1


def test_a_deleted_expert_is_trained_again_and_no_other(planner: Planner):
    with without(planner.checkout / "results" / "tiny" / "experts" / "healthy1"):
        jobs = planner.jobs()
    assert set(jobs) == following({"finetune_expert"}) - {"synthesize_slices"}
    assert jobs["finetune_expert"] == 1


def test_a_deleted_figure_is_drawn_again_and_nothing_else(planner: Planner):
    with without(planner.checkout / "results" / "tiny" / "figures" / "training.png"):
        assert planner.jobs() == {"figure_training": 1, "write_report": 1}


def test_one_more_patient_touches_its_shard_and_what_depends_on_the_whole_cohort(planner: Planner):
    jobs = planner.jobs("phantom={patients: 7}")
    assert set(jobs) == following({"build_phantom"})
    for rule in ("build_phantom", "check_cohort", "extract_slices", "tessellate_slices"):
        assert jobs[rule] == 1, rule


def test_every_rule_of_a_run_is_in_the_specification(planner: Planner):
    assert set(planner.jobs("run=other")) == RULES
    assert FIGURES < RULES


def status(checkout: Path, *config: str) -> str:
    """What `make status` prints of a run."""
    command = [sys.executable, "tools/status.py", "--cores", "2", "--configfile", "config/tiny.yaml"]
    command += ["--config", "base={model: base}", *config]
    run = subprocess.run(command, cwd=checkout, text=True, capture_output=True, timeout=300)
    assert run.returncode == 0, run.stderr[-4000:]
    return run.stdout


def test_status_says_that_all_is_fresh(tiny_run: TinyRun):
    assert "Everything is fresh." in status(tiny_run.directory)


def test_status_names_the_value_the_code_and_the_file_behind_a_stale_stage(tiny_run: TinyRun):
    checkout = tiny_run.directory
    with (
        without(tiny_run.results / "figures" / "training.png"),
        edited(checkout / "mosaicmr" / "synthesis" / "merge.py", '"""', 'EDITED = True\n"""'),
        edited(checkout / "envs" / "imaging.yaml", "numpy==", "numpy==9"),
    ):
        lines = status(checkout, "evaluation={segmenter: {steps: 5}}").splitlines()
    rows = {line.split()[0]: line for line in lines if line.startswith("  ") and line.split()[0] in RULES}
    assert set(rows) == RULES
    assert "settings.steps 4 -> 5" in rows["train_segmenter"]
    assert "mosaicmr/synthesis/merge.py" in rows["merge_partitions"]
    assert "its output is gone: results/tiny/figures/training.png" in rows["figure_training"]
    assert "envs/imaging.yaml" in rows["check_cohort"]
    assert rows["figure_segmentation"].endswith("follows score_segmenter")

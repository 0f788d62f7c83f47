"""The mutation matrix, continued: modules of the library, scripts and environments.

The scripts that an edit must rerun are found independently of the fingerprint, from their bytecode. Every module
and every script is edited and fingerprinted in this process. That a rule carries the fingerprint of its script is read
from the records of a finished run; that Snakemake acts on it is planned, for some edits.
"""

import re
import shutil
from modulefinder import ModuleFinder
from pathlib import Path

import pytest
import yaml

from mosaicmr.fingerprint import environment_fingerprint, fingerprint
from mosaicmr.io import load_json
from tests.support.edits import edited
from tests.support.planner import Planner
from tests.workflow.conftest import TinyRun
from tests.workflow.data_flow import RULES, TWINS, following

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Path:
    """The library and the scripts, to edit."""
    folder = tmp_path_factory.mktemp("code")
    for name in ("mosaicmr", "workflow_scripts"):
        shutil.copytree(checkout / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def with_twins(rules: set[str]) -> set[str]:
    """The rules, and those that run the script of one of them."""
    return rules | {twin for twin, rule in TWINS.items() if rule in rules}


def scripts_of(checkout: Path) -> dict[str, Path]:
    """Every script by its name, which is also that of its rule, but for twins."""
    return {path.stem: path for path in sorted((checkout / "workflow_scripts").glob("*.py"))}


def fingerprints(checkout: Path) -> dict[str, str]:
    """The fingerprint of every script."""
    return {name: fingerprint(script, checkout / "mosaicmr") for name, script in scripts_of(checkout).items()}


def modules_run_by(script: Path, checkout: Path) -> set[Path]:
    """The library's files that a script can import, by the bytecode of all of its functions."""
    finder = ModuleFinder(path=[str(checkout)])
    finder.run_script(str(script))
    files = {Path(module.__file__) for module in finder.modules.values() if module.__file__}
    return {file for file in files if file.is_relative_to(checkout / "mosaicmr")}


def changed_by_an_edit(file: Path, code: Path, before: dict[str, str]) -> set[str]:
    """The scripts whose fingerprint is another while a line of code is added to the file."""
    text = file.read_text(encoding="utf-8")
    with edited(file, text, f"{text}\nEDITED = True\n"):
        after = fingerprints(code)
    return {name for name, value in after.items() if value != before[name]}


def test_an_edited_module_changes_the_fingerprint_of_the_scripts_that_import_it(code: Path):
    imports = {name: modules_run_by(script, code) for name, script in scripts_of(code).items()}
    before, wrong = fingerprints(code), {}
    for module in sorted((code / "mosaicmr").rglob("*.py")):
        found = changed_by_an_edit(module, code, before)
        expected = {name for name, modules in imports.items() if module in modules}
        if found != expected:
            wrong[module.relative_to(code)] = found ^ expected
    assert not wrong


def test_an_edited_script_changes_its_own_fingerprint_and_no_other(code: Path):
    before = fingerprints(code)
    assert {name: changed_by_an_edit(script, code, before) for name, script in scripts_of(code).items()} == {
        name: {name} for name in before
    }


def test_every_job_carries_the_fingerprints_of_its_script_and_its_environment(tiny_run: TinyRun):
    folder = tiny_run.directory
    records = [load_json(path) for path in (folder / ".snakemake" / "metadata").rglob("*") if path.is_file()]
    assert {record["rule"] for record in records} == RULES
    expected = {}
    for rule in RULES:
        environment = folder / "envs" / environment_of(folder, rule)
        script = fingerprint(scripts_of(folder)[TWINS.get(rule, rule)], folder / "mosaicmr")
        expected[rule] = {repr(script), repr(environment_fingerprint(environment))}
    wrong = {record["rule"] for record in records if not expected[record["rule"]] <= set(record["params"])}
    assert not wrong


@pytest.mark.parametrize("rule", ["check_subjects", "embed_prompts", "figure_grid"])
def test_an_edited_script_reruns_its_rule_and_what_follows(rule: str, planner: Planner):
    with edited(scripts_of(planner.checkout)[rule], "def main(", "EDITED = True\n\n\ndef main("):
        assert set(planner.jobs()) == following(with_twins({rule}))


def test_the_joint_scheme_which_the_tiny_run_lacks_runs_the_blending(code: Path):
    script = code / "workflow_scripts" / "synthesize_jointly.py"
    assert code / "mosaicmr" / "synthesis" / "merge.py" in modules_run_by(script, code)


# Rules that must never follow from an edit of each, whatever the modules import: written by hand.
@pytest.mark.parametrize(
    ("module", "spared"),
    [
        ("synthesis/merge.py", {"finetune_expert", "render_domains", "synthesize_slices", "extract_slices"}),
        ("synthesis/layouts.py", {"finetune_expert", "encode_latents", "write_prompts"}),
        ("evaluation/ssim.py", {"finetune_expert", "draw_layouts", "train_segmenter", "export_dataset"}),
        ("figures/grid.py", RULES - {"figure_grid", "write_report"}),
        ("training/adaptation.py", {"encode_latents", "embed_prompts", "draw_layouts"}),
        (
            "training/experts.py",
            {"adapt_base", "extract_slices", "partition_slices", "encode_latents", "draw_layouts"},
        ),
        ("cohort/split.py", {"build_phantom", "check_subjects", "extract_slices", "tessellate_slices"}),
        ("pretraining/pretrain.py", RULES),
    ],
)
def test_an_edited_module_reruns_the_scripts_that_import_it_and_spares_the_costly_rules_before_it(
    module: str, spared: set[str], planner: Planner
):
    file = planner.checkout / "mosaicmr" / module
    scripts = scripts_of(planner.checkout)
    importers = {rule for rule in RULES if file in modules_run_by(scripts[TWINS.get(rule, rule)], planner.checkout)}
    with edited(file, '"""', 'EDITED = True\n"""'):
        found = set(planner.jobs())
    assert found == following(with_twins(importers))
    assert not spared & found


@pytest.mark.parametrize("environment", ["imaging", "diffusion", "evaluation", "figures"])
def test_another_version_in_an_environment_reruns_the_rules_that_run_in_it(environment: str, planner: Planner):
    path = planner.checkout / "envs" / f"{environment}.yaml"
    pin = next(text for text in yaml.safe_load(path.read_text())["dependencies"][-1]["pip"] if "numpy==" in text)
    rules = {rule for rule in RULES if environment_of(planner.checkout, rule) == path.name}
    assert rules
    with edited(path, pin, f"{pin}.1"):
        assert set(planner.jobs()) == following(with_twins(rules))


def environment_of(checkout: Path, rule: str) -> str:
    """The name of the file in envs/ that a rule names."""
    everything = "\n".join(path.read_text() for path in sorted((checkout / "rules").glob("*.smk")))
    text = everything.split(f"rule {TWINS.get(rule, rule)}:")[1].split("script:")[0]
    return re.search(r"envs/(\w+\.yaml)", text)[1]

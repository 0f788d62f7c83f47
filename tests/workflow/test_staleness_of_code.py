"""The mutation matrix, continued: modules of the library, scripts and environments.

What an edit must rerun is found by another way than the fingerprint's: from the bytecode of the scripts.
"""

from modulefinder import ModuleFinder
from pathlib import Path

import pytest
import yaml

from tests.support.edits import edited
from tests.support.planner import Planner
from tests.workflow.data_flow import RULES, following

pytestmark = pytest.mark.workflow


def with_twin(rules: set[str]) -> set[str]:
    """The rules, and the one that runs the script of another."""
    return rules | ({"embed_training_prompts"} if "embed_prompts" in rules else set())


def scripts_of(checkout: Path) -> dict[str, Path]:
    """The script of each rule of a run."""
    return {rule: checkout / "workflow_scripts" / f"{rule}.py" for rule in RULES - {"embed_training_prompts"}}


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
        expected = following(with_twin({rule for rule, modules in imports.items() if module in modules}))
        if found != expected:
            wrong[module.name] = found ^ expected
    assert not wrong


def test_an_edited_script_reruns_its_rule_and_what_follows(planner: Planner):
    wrong = {}
    for rule, script in scripts_of(planner.checkout).items():
        with edited(script, "def main(", "EDITED = True\n\n\ndef main("):
            found = set(planner.jobs())
        expected = following(with_twin({rule}))
        if found != expected:
            wrong[rule] = found ^ expected
    assert not wrong


def test_the_joint_scheme_which_the_tiny_run_lacks_runs_the_blending(planner: Planner):
    script = planner.checkout / "workflow_scripts" / "synthesize_jointly.py"
    assert planner.checkout / "mosaicmr" / "synthesis" / "merge.py" in modules_run_by(script, planner.checkout)


# What must never follow from an edit of each, whatever the modules import: written by hand.
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
        ("cohort/split.py", {"build_phantom", "check_cohort", "extract_slices", "tessellate_slices"}),
        ("pretraining/pretrain.py", RULES),
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
        assert set(planner.jobs()) == following(with_twin(rules))


def rule_text(checkout: Path, rule: str) -> str:
    """A rule as it stands in its file."""
    everything = "\n".join(path.read_text() for path in sorted((checkout / "rules").glob("*.smk")))
    return everything.split(f"rule {rule}:")[1].split("script:")[0]

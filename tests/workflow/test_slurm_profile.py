"""The SLURM profile and the resources of the rules, as far as they can be judged without a SLURM."""

import os
import re
from pathlib import Path

import pytest
import yaml

from tests.support.planner import PlanServer
from tests.support.slurm_site import HOSTILE, Site
from tests.support.workflow import CHECKOUT

PROFILE = yaml.safe_load((CHECKOUT / "slurm" / "config.yaml").read_text())
TEXTS = [path.read_text() for path in sorted((CHECKOUT / "rules").glob("*.smk"))]
RULES = {
    match[1]: match[0]
    for text in TEXTS
    for match in re.finditer(r"^ *rule (\w+):\n(?:(?!^ *(use )?rule ).*\n?)*", text, re.MULTILINE)
}
RULES |= {
    twin: RULES[rule] for text in TEXTS for rule, twin in re.findall(r"^ *use rule (\w+) as (\w+) with:", text, re.M)
}
# A rule names the device itself, or takes it with the parameters that all sampling shares.
WITH_DEVICE = re.compile(r'config\["device"\]|\*\*SAMPLING\b')


def plan(server: PlanServer, directory: Path, profile: str, cwd: Path, *arguments: str) -> str:
    """The messages of a dry run of the tiny configuration, with the profile, called from the folder `cwd`."""
    words = ["--profile", profile, "--dry-run", "--directory", str(directory)]
    words += ["--snakefile", str(CHECKOUT / "Snakefile"), *arguments]
    run = server.call(cwd, [*words, "--configfile", str(CHECKOUT / "config" / "tiny.yaml")])
    assert run.returncode == 0, run.stdout[-4000:]
    return run.stdout


def resources(plan: str, rule: str) -> dict[str, str]:
    """The resources of the first job of a rule in the output of a dry run."""
    line = re.search(rf"rule {rule}:\n(?:.+\n)*? +resources: (.*)", plan)[1]
    return dict(part.split("=", 1) for part in line.split(", "))


@pytest.mark.parametrize("place", ["checkout", "elsewhere"])
def test_the_profile_is_read_from_any_working_directory(place: str, tmp_path: Path, plan_server: PlanServer):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    called = ("slurm", CHECKOUT) if place == "checkout" else (str(CHECKOUT / "slurm"), elsewhere)
    output = plan(plan_server, tmp_path, *called)
    assert resources(output, "finetune_expert")["gres"] == "gpu:1"
    assert "gres" not in resources(output, "split_cohort")


def test_an_attempt_raises_memory_and_time_but_not_the_time_of_what_resumes(tmp_path: Path, plan_server: PlanServer):
    first, third = (
        plan(plan_server, tmp_path, str(CHECKOUT / "slurm"), tmp_path, *more) for more in ((), ("--attempt", "3"))
    )
    for rule, wanted in {
        "extract_slices": ({"mem_mb": "6000", "runtime": "20"}, {"mem_mb": "18000", "runtime": "60"}),
        "finetune_expert": ({"mem_mb": "12000", "runtime": "720"}, {"mem_mb": "36000", "runtime": "720"}),
    }.items():
        for output, expected in zip((first, third), wanted, strict=True):
            assert expected.items() <= resources(output, rule).items()


def test_every_rule_says_what_memory_and_time_it_needs():
    jobs = {name: text for name, text in RULES.items() if "script:" in text}
    lacking = [name for name, text in jobs.items() if "mem_mb=" not in text or "runtime=" not in text]
    assert not lacking


def test_no_rule_retries_by_itself():
    # On a cluster, the Snakemake inside a job would do so too, with the memory of the attempt that was killed.
    assert not [name for name, text in RULES.items() if re.search(r"^ +retries:", text, re.MULTILINE)]
    assert PROFILE["retries"] >= 1


def test_every_rule_that_uses_a_device_asks_for_a_gpu_and_no_other():
    with_device = {name for name, text in RULES.items() if WITH_DEVICE.search(text)}
    assert set(PROFILE["set-resources"]) == with_device
    assert {tuple(settings.items()) for settings in PROFILE["set-resources"].values()} == {(("gres", "gpu:1"),)}


def test_groups_hold_rules_that_exist_and_use_no_gpu():
    grouped = set(PROFILE["groups"])
    assert grouped <= set(RULES)
    assert not grouped & set(PROFILE["set-resources"])
    assert set(PROFILE["groups"].values()) == set(PROFILE["group-components"])


def test_what_talks_to_the_internet_or_to_snakemakes_records_runs_where_snakemake_runs():
    assert {name for name, text in RULES.items() if "localrule: True" in text} == {"fetch_base", "write_report"}


def test_no_path_stands_in_the_command_line_that_submits_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # An sbatch that keeps its arguments and the script, and takes no job.
    (tmp_path / "bin").mkdir()
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {tmp_path}/words\ncat >> {tmp_path}/script\nexit 1\n')
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", str(sbatch.parent), prepend=os.pathsep)
    run = Site(None, tmp_path).copy_hostile({"retries: 3": "retries: 0"})
    assert run.returncode != 0
    assert "PWNED" not in (tmp_path / "words").read_text()
    assert HOSTILE in (tmp_path / "script").read_text()
    assert not list(tmp_path.rglob("PWNED"))

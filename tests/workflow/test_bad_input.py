"""A user's mistake ends with one sentence, a non-zero exit code, and no output that could pass for a result."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from mosaicmr.io import load_csv
from tests.support.cohorts import SHAPE, save, write_cohort
from tests.support.planner import PlanServer
from tests.support.tiny_models import make_tiny_base
from tests.support.workflow import CHECKOUT, arguments_for, snakemake


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    write_cohort(tmp_path / "cohort", subjects=3)
    return tmp_path / "cohort"


def refusal(output: str) -> str:
    """The last line that Snakemake prints, checked not to be a traceback's."""
    assert "Traceback" not in output
    return output.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("experts={rnak: 4}", ["experts.rnak", "experts.rank"]),
        ("experts={rank: four}", ["experts.rank", "a whole number"]),
        ("run=../elsewhere", ["run", "letters"]),
        ("cohort={source: brats}", ["cohort_dir"]),
    ],
)
def test_a_bad_configuration_is_refused_before_anything_is_planned(
    config: str, words: list[str], tmp_path: Path, plan_server: PlanServer
):
    # No dry run: it would have to end before its first job, too.
    run = plan_server.call(tmp_path, arguments_for(CHECKOUT, tmp_path, "--config", config))
    assert run.returncode != 0
    for word in words:
        assert word in refusal(run.stdout)
    assert not (tmp_path / "results").exists()


def test_a_missing_modality_is_refused_by_its_file(cohort: Path, tmp_path: Path, plan_server: PlanServer):
    (cohort / "BraTS2021_00002" / "BraTS2021_00002_t1ce.nii.gz").unlink()
    message = refuse_plan(plan_server, tmp_path, cohort)
    assert "BraTS2021_00002" in message
    assert "T1ce" in message


def test_a_scheme_that_contradicts_the_naming_is_refused(cohort: Path, tmp_path: Path, plan_server: PlanServer):
    message = refuse_plan(plan_server, tmp_path, cohort, "cohort={label_scheme: brats2023}")
    assert "label_scheme" in message
    assert "brats2021" in message


def test_a_folder_without_subjects_is_refused(tmp_path: Path, plan_server: PlanServer):
    (tmp_path / "empty").mkdir()
    assert "cohort_dir" in refuse_plan(plan_server, tmp_path, tmp_path / "empty")


@pytest.mark.parametrize("name", ["site $(touch PWNED)", "da{ta}"])
def test_a_folder_that_a_shell_or_snakemake_would_interpret_is_refused(
    name: str, tmp_path: Path, plan_server: PlanServer
):
    # As the cohort's folder, and as a folder in it.
    write_cohort(tmp_path / "cohort" / name, subjects=3)
    for folder in (tmp_path / "cohort" / name, tmp_path / "cohort"):
        assert "which a shell or Snakemake would interpret" in refuse_plan(plan_server, tmp_path, folder)
    assert not list(tmp_path.rglob("PWNED"))


def test_a_key_that_stands_twice_is_refused_by_its_lines(tmp_path: Path, plan_server: PlanServer):
    (tmp_path / "twice.yaml").write_text("experts: {rank: 4}\nseed: 2\nexperts: {steps: 9}\n")
    words = arguments_for(CHECKOUT, tmp_path, "--configfile", str(tmp_path / "twice.yaml"))
    assert "'experts' twice in one group, in lines 1 and 3" in refusal(plan_server.call(tmp_path, words).stdout)


def test_a_value_of_the_command_line_that_a_shell_would_run_is_refused(tmp_path: Path, plan_server: PlanServer):
    # Jobs get the words of --config as they were typed; a value of no consequence to this cohort is one of them.
    write_cohort(tmp_path / "cohort", subjects=3)
    message = refuse_plan(plan_server, tmp_path, tmp_path / "cohort", "cohort={table: 'a$(touch PWNED).csv'}")
    assert "of --config has '$' in it" in message and "--configfile" in message


def test_a_hostile_file_of_the_base_model_is_refused(tmp_path: Path, plan_server: PlanServer):
    make_tiny_base(tmp_path / "base")
    (tmp_path / "base" / "x$(touch PWNED).json").write_text("{}")
    run = plan_server.plan(tmp_path, "--config", "base={model: base}", configs=["tiny"])
    assert run.returncode != 0
    assert refusal(run.stdout).startswith("A file of base.model is base/x$(touch PWNED).json, which has '$'")


@pytest.mark.parametrize("place", ["configuration", "working directory"])
def test_a_hostile_path_of_a_call_is_refused(place: str, tmp_path: Path, plan_server: PlanServer):
    folder = tmp_path / "site $(touch PWNED)"
    folder.mkdir()
    (folder / "my.yaml").write_text("seed: 2\n")
    directory = folder if place == "working directory" else tmp_path
    words = ["--configfile", str(folder / "my.yaml")] if place == "configuration" else []
    run = plan_server.call(tmp_path, arguments_for(CHECKOUT, directory, "--dry-run", *words))
    assert run.returncode != 0
    assert "which has '$' in its name" in refusal(run.stdout)


def test_a_configuration_that_is_a_program_is_refused(tmp_path: Path, plan_server: PlanServer):
    (tmp_path / "program.yaml").write_text("__use_yte__: true\nseed: ?1 + 1\n")
    words = arguments_for(CHECKOUT, tmp_path, "--dry-run", "--configfile", str(tmp_path / "program.yaml"))
    assert "'__use_yte__', by which Snakemake runs Python" in refusal(plan_server.call(tmp_path, words).stdout)


@pytest.mark.parametrize("name", ["20240101", "007", "1e5"])
def test_a_run_and_a_cohort_of_digits_are_names(name: str, tmp_path: Path, plan_server: PlanServer):
    write_cohort(tmp_path / name, subjects=3)
    run = plan_server.plan(tmp_path, "--config", f"run={name}", f"cohort_dir={name}", configs=["brats"])
    assert run.returncode == 0, run.stdout[-4000:]
    assert f"results/{name}/summary.json" in run.stdout


def test_a_relative_cohort_that_is_not_there_is_refused_with_its_whole_path(tmp_path: Path, plan_server: PlanServer):
    assert f"working directory: {tmp_path / 'lost'})" in refuse_plan(plan_server, tmp_path, Path("lost"))


def refuse_plan(plan_server: PlanServer, directory: Path, cohort: Path, *config: str) -> str:
    run = plan_server.plan(directory, "--config", f"cohort_dir={cohort}", *config, configs=["brats"])
    assert run.returncode != 0
    return refusal(run.stdout)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:2000])


def crop(file: Path) -> None:
    save(np.asarray(nib.load(file).dataobj)[:-4], file)


def relabel(file: Path) -> None:
    save(np.full(SHAPE, 7, np.uint8), file)


@pytest.mark.parametrize(
    ("suffix", "damage", "words"),
    [("t1", truncate, []), ("t2", crop, ["36", "40"]), ("seg", relabel, ["7", "brats2021"])],
)
def test_a_damaged_file_ends_the_run_with_its_name(
    suffix: str, damage: Callable[[Path], None], words: list[str], cohort: Path, tmp_path: Path
):
    file = cohort / "BraTS2021_00002" / f"BraTS2021_00002_{suffix}.nii.gz"
    damage(file)
    target = "results/brats/cohort/subjects.parquet"
    run = snakemake(tmp_path, target, "--config", f"cohort_dir={cohort}", configs=["brats"])
    assert run.returncode != 0
    assert "Traceback" not in run.stdout
    end = run.stdout[run.stdout.index("1 failed job:") :]
    assert "split_cohort\n  results/brats/logs/split_cohort.log ends with:\n" in end
    sentence = next(line for line in end.splitlines() if line.startswith("  Likely cause: "))
    assert file.name in sentence and sentence.endswith(".")
    for word in words:
        assert word in sentence
    written = {path.relative_to(tmp_path / "results" / "brats") for path in (tmp_path / "results").rglob("*.parquet")}
    assert Path("cohort/subjects.parquet") not in written
    assert not [path for path in (tmp_path / "results").rglob("*") if path.name.startswith(".partial-")]


def test_the_check_lists_every_fault_of_names_and_files_in_one_call(cohort: Path, tmp_path: Path):
    files = sorted(cohort.rglob("*_t1.nii.gz"))
    truncate(files[0])
    crop(files[1])
    files[2].unlink()
    run = snakemake(tmp_path, "check_cohort", "--config", f"cohort_dir={cohort}", configs=["brats"])
    assert run.returncode == 0, run.stdout
    found = load_csv(tmp_path / "results" / "brats" / "cohort" / "findings.csv")
    for file in files[:2]:
        assert found["file"].str.contains(file.name).any()
    assert found.loc[found["subject"] == "", "reason"].str.contains("T1").sum() == 1
    assert list((tmp_path / "results" / "brats" / "figures" / "cohort").glob("*.png"))

"""Running the workflow in a process of its own, and reading what it says."""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def copy_checkout(folder: Path) -> Path:
    """Copy what a run needs of the checkout, so that a test may edit it; the base model stays behind."""
    for name in ("config", "docs", "envs", "mosaicmr", "profiles", "rules", "slurm", "tools", "workflow_scripts"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "Snakefile", folder)
    return folder


def arguments_for(checkout: Path, directory: Path, *arguments: str, configs: Sequence[str] = ()) -> list[str]:
    """Words after `snakemake` that run the checkout's Snakefile in `directory`.

    configs: names of files in the checkout's config/.
    """
    words = ["--snakefile", str(checkout / "Snakefile"), "--directory", str(directory), "--cores", "2", *arguments]
    # Last, because it takes all words that follow it.
    if configs:
        words += ["--configfile", *(str(checkout / "config" / f"{name}.yaml") for name in configs)]
    return words


def snakemake(
    directory: Path, *arguments: str, configs: Sequence[str] = (), timeout: int = 600, checkout: Path = CHECKOUT
) -> subprocess.CompletedProcess:
    """Run Snakemake on the checkout's Snakefile with `directory` as working directory, and capture what it prints.

    configs: names of files in config/. timeout: seconds after which it is killed, come what may: in a test, a Snakemake
    that hangs must not take the test run with it.
    """
    command = ["timeout", "-s", "KILL", str(timeout), sys.executable, "-m", "snakemake"]
    command += arguments_for(checkout, directory, *arguments, configs=configs)
    return subprocess.run(
        command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )


def planned(run: subprocess.CompletedProcess) -> dict[str, int]:
    """The number of jobs of each rule, without the target `all`, in a dry run's table of job statistics."""
    assert run.returncode == 0, run.stdout[-4000:]
    table = re.search(r"^Job stats:\njob +count\n[- ]+\n(.*?)^total", run.stdout, re.MULTILINE | re.DOTALL)
    if table is None:
        assert "Nothing to be done" in run.stdout, run.stdout[-4000:]
        return {}
    rows = (line.split() for line in table[1].splitlines())
    return {rule: int(count) for rule, count in rows if rule != "all"}

"""Jobs of a cohort, seconds to plan them, and seconds of a call that finds nothing to do, on generated empty files.

python benchmarks/plan_jobs.py [--repeat 3] [--subjects 5 150 1500]

For each configuration and cohort: empty files in BraTS naming, a dry run, an empty file for every output of the plan
with Snakemake's records of it (`--touch`), and a call that must say "Nothing to be done". All in a temporary folder.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from tests.support.cohorts import touch_cohort  # noqa: E402


def snakemake(folder: Path, config: str, *arguments: str) -> tuple[str, float, float]:
    """The output of Snakemake for a configuration and the cohort in `folder`, with its wall and processor seconds."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(CHECKOUT / "Snakefile"), "--cores", "2"]
    command += ["--directory", str(folder / config), *arguments]
    command += ["--configfile", str(CHECKOUT / "config" / f"{config}.yaml")]
    command += ["--config", f"run={config}", f"cohort_dir={folder / 'cohort'}"]
    start, before = time.monotonic(), processor_seconds()
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    wall, cpu = time.monotonic() - start, processor_seconds() - before
    if run.returncode:
        sys.exit(run.stdout[-2000:] + run.stderr[-2000:])
    return run.stdout + run.stderr, wall, cpu


def processor_seconds() -> float:
    """Processor time of all processes that this process has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def finish(folder: Path, config: str) -> None:
    """Leave what a finished run would: a file for every output, all empty, and Snakemake's records of them."""
    lines = snakemake(folder, config, "--summary")[0].splitlines()
    outputs = [line.split("\t")[0] for line in lines if line.startswith("results/")]
    for output in (folder / config / name for name in outputs):
        output.parent.mkdir(parents=True, exist_ok=True)
        if output.suffix:
            output.touch()
        else:  # the data set is a folder
            output.mkdir(exist_ok=True)
    # Every job, because Snakemake otherwise keeps no record of those whose outputs already look finished.
    snakemake(folder, config, "--touch", "--forceall")


def measure(config: str, subjects: int, repeat: int) -> str:
    """One row of the table: jobs, and seconds of `repeat` calls to plan them and to do nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        touch_cohort(folder / "cohort", subjects)
        plans = [snakemake(folder, config, "--dry-run", "--quiet", "rules") for _ in range(repeat)]
        jobs = next(line.split()[1] for line in plans[0][0].splitlines() if line.startswith("total"))
        finish(folder, config)
        idle = [snakemake(folder, config) for _ in range(repeat)]
        if not all("Nothing to be done" in text for text, _, _ in idle):
            sys.exit(f"A second call of {config} with {subjects} subjects found something to do:\n{idle[0][0][-2000:]}")
        columns = [spread(run[which] for run in runs) for runs in (plans, idle) for which in (1, 2)]
        return f"| {config} | {subjects} | {jobs} | {' | '.join(columns)} |"


def spread(seconds: Iterable[float]) -> str:
    """Median, lowest and highest."""
    seconds = sorted(seconds)
    return f"{statistics.median(seconds):.1f} ({seconds[0]:.1f} to {seconds[-1]:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, help="how often each call is timed")
    parser.add_argument("--subjects", type=int, nargs="+", default=[5, 150, 1500], help="sizes of the cohorts")
    chosen = parser.parse_args()
    print("| configuration | subjects | jobs | plan, wall s | processor s | nothing to do, wall s | processor s |")
    print("|---|---|---|---|---|---|---|")
    for config in ("brats", "paper"):
        for subjects in chosen.subjects:
            print(measure(config, subjects, chosen.repeat), flush=True)


if __name__ == "__main__":
    main()

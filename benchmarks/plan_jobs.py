"""Seconds to plan the jobs of phantom cohorts of growing size, with `snakemake --dry-run`.

python benchmarks/plan_jobs.py
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
COHORTS = {12: 4, 150: 10, 1500: 25}  # patients: subjects per shard


def plan(patients: int, subjects_per_shard: int) -> tuple[float, int]:
    """Wall time in seconds of a dry run, and how many jobs it plans."""
    config = [f"cohort={{subjects_per_shard: {subjects_per_shard}}}", f"phantom={{patients: {patients}}}"]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(CHECKOUT / "Snakefile"), "--directory", folder]
        command += ["--dry-run", "--quiet", "rules", "--cores", "1", "--config", *config]
        start = time.monotonic()
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = time.monotonic() - start
    total = next(line for line in (run.stdout + run.stderr).splitlines() if line.startswith("total"))
    return seconds, int(total.split()[1])


def main() -> None:
    print("patients  jobs  seconds")
    for patients, subjects_per_shard in COHORTS.items():
        seconds, jobs = plan(patients, subjects_per_shard)
        print(f"{patients:8d}  {jobs:4d}  {seconds:7.1f}", flush=True)


if __name__ == "__main__":
    main()

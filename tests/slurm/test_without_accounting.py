"""The shipped profile on a SLURM without an accounting database, where `sacct` has nothing to say.

Short enough for continuous integration: `make test-slurm-short` runs it, and needs no more than SLURM and MUNGE.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mosaicmr.io import load_table
from tests.support.slurm_cluster import SlurmCluster, wait_for
from tests.support.slurm_site import Site
from tests.support.tiny_models import make_tiny_base

pytestmark = [pytest.mark.workflow, pytest.mark.slurm]


@pytest.fixture
def cluster(start_cluster) -> Iterator[SlurmCluster]:
    with start_cluster(accounting=False) as cluster:
        yield cluster


def test_a_path_that_is_a_command_is_not_run(cluster: SlurmCluster, tmp_path: Path):
    run = Site(cluster, tmp_path).copy_hostile()
    assert run.returncode == 0, run.stdout[-4000:]
    for name in ("copy", "grouped1", "grouped2"):
        assert (tmp_path / f"{name}.txt").read_text() == "voxels"
    assert not list(tmp_path.rglob("PWNED"))
    # Two jobs of SLURM: the single job, and the two of the group in one.
    assert len(cluster.ask("squeue", "-h", "--states=all").splitlines()) == 2


def test_jobs_end_and_cancelled_ones_run_again(cluster: SlurmCluster, tmp_path: Path):
    sacct = subprocess.run(["sacct"], env=cluster.environment, capture_output=True, text=True, check=False)
    assert sacct.returncode != 0 and "accounting storage is disabled" in sacct.stderr
    site = Site(cluster, tmp_path)
    make_tiny_base(site.directory / "base")
    try:
        call = site.start("results/tiny/cohort/subjects.parquet")
        running = ("squeue", "-h", "-t", "running", "-o", "%i")
        cluster.ask("scancel", wait_for("the first job", lambda: cluster.ask(*running), timeout=120))
        site.finish(call)
    finally:
        site.stop()
    states = cluster.ask("squeue", "-h", "--states=all", "--sort=i", "-o", "%T %l").splitlines()
    assert states[0] == "CANCELLED 1:30:00"
    assert states[1] == "COMPLETED 3:00:00"  # twice the time at the second attempt
    assert set(states[2:]) == {"COMPLETED " + limit for limit in ("15:00", "30:00")}
    assert len(load_table(site.results / "cohort" / "subjects.parquet")) == 6

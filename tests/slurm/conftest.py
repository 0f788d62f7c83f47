"""A real SLURM for these tests; `make test-slurm` and `make test-slurm-short` install what they need."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.support.slurm_cluster import SlurmCluster, missing_programs, running_cluster


@pytest.fixture(scope="session")
def start_cluster(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[bool], AbstractContextManager[SlurmCluster]]:
    """Starts a cluster, with accounting or without, that ends with the context it opens."""

    @contextmanager
    def start(accounting: bool) -> Iterator[SlurmCluster]:
        missing = missing_programs(accounting)
        if missing or os.geteuid() != 0:
            pytest.fail(f"needs root and {', '.join(missing) or 'SLURM'}: run `make test-slurm` as root on Debian")
        root: Path = tmp_path_factory.mktemp("slurm") / "cluster"
        with running_cluster(root, accounting) as cluster:
            yield cluster

    return start

"""A real SLURM for these tests; `make test-slurm` installs what it needs."""

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
    missing = missing_programs()
    if missing or os.geteuid() != 0:
        pytest.fail(f"needs root and {', '.join(missing) or 'SLURM'}: run `make test-slurm` as root on Debian")

    @contextmanager
    def start(accounting: bool) -> Iterator[SlurmCluster]:
        root: Path = tmp_path_factory.mktemp("slurm") / "cluster"
        with running_cluster(root, accounting) as cluster:
            yield cluster

    return start

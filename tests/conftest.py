"""Fixtures that several tests share."""

import os
from pathlib import Path

import pytest

# Before NumPy and PyTorch start their pools: tests run beside one another, and their arrays are tiny.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.support.tiny_models import make_tiny_base, make_tiny_stable_diffusion

CHECKOUT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests of the finished tiny run, which take longest: with two processes, none is left over."""
    items.sort(key=lambda item: "tiny_run" not in item.fixturenames)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the checkout."""
    return CHECKOUT


@pytest.fixture(scope="session")
def brats_dir() -> Path:
    """The folder of real subjects that MOSAICMR_BRATS_DIR names; skips the test where there is none."""
    folder = os.environ.get("MOSAICMR_BRATS_DIR")
    if not folder:
        pytest.skip("MOSAICMR_BRATS_DIR names no folder of real subjects")
    return Path(folder)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base in the bundled format with random weights; tests that change a file of it take a copy."""
    return make_tiny_base(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="session")
def stable_diffusion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion folder with random weights; tests that change a file of it take a copy."""
    return make_tiny_stable_diffusion(tmp_path_factory.mktemp("models") / "stable_diffusion")

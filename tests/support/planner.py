"""Which jobs Snakemake would run, asked many times of one finished run."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tests.support.workflow import CHECKOUT, arguments_for, planned

SECONDS = 120


class Planner:
    """A process that has Snakemake loaded and plans the jobs of the checkout `checkout`, run in itself."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout

    def __enter__(self) -> "Planner":
        command = [sys.executable, str(CHECKOUT / "tests" / "support" / "plan_server.py")]
        self._server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.stdin.close()
        self._server.wait(timeout=SECONDS)

    def jobs(self, *config: str, configs: Sequence[str] = ("tiny",)) -> dict[str, int]:
        """How many jobs of each rule would run, `all` left out, with words for `--config` and files of config/."""
        output = self.checkout / "plan.txt"
        options = ["--dry-run", "--config", "base={model: base}", *config]
        arguments = arguments_for(self.checkout, self.checkout, *options, configs=configs)
        request = {"directory": str(self.checkout), "arguments": arguments, "output": str(output), "timeout": SECONDS}
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        return planned(subprocess.CompletedProcess(arguments, code, output.read_text()))

"""Plans of Snakemake: the jobs that it would run, asked many times."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.support.workflow import CHECKOUT, arguments_for, planned

SECONDS = 120


class PlanServer:
    """A process that has Snakemake loaded, and makes a dry run in seconds."""

    def __enter__(self) -> "PlanServer":
        self._folder = tempfile.TemporaryDirectory()
        command = [sys.executable, str(CHECKOUT / "tests" / "support" / "plan_server.py")]
        self._server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.stdin.close()
        self._server.wait(timeout=SECONDS)
        self._folder.cleanup()

    def call(self, directory: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess:
        """Call Snakemake from `directory` with its arguments, and capture what it prints."""
        output = Path(self._folder.name) / "plan.txt"
        request = {"directory": str(directory), "arguments": list(arguments), "output": str(output)}
        self._server.stdin.write(json.dumps(request | {"timeout": SECONDS}) + "\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        return subprocess.CompletedProcess(arguments, code, output.read_text())

    def plan(
        self, directory: Path, *arguments: str, configs: Sequence[str] = (), checkout: Path = CHECKOUT
    ) -> subprocess.CompletedProcess:
        """Plan the checkout's Snakefile with `directory` as working directory; configs: names of files in config/."""
        return self.call(directory, arguments_for(checkout, directory, "--dry-run", *arguments, configs=configs))


@dataclass(frozen=True)
class Planner:
    """The jobs that a finished tiny run, in a checkout of its own, would run again."""

    server: PlanServer
    checkout: Path

    def jobs(self, *config: str) -> dict[str, int]:
        """The number of jobs of each rule that would run, `all` left out, with words for `--config`."""
        words = ("--config", "base={model: base}", *config)
        return planned(self.server.plan(self.checkout, *words, configs=["tiny"], checkout=self.checkout))

"""A user's side of a cluster: a working directory, the shipped profile with a site's settings, calls of Snakemake."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.slurm_cluster import SlurmCluster
from tests.support.workflow import CHECKOUT

# Words of slurm/config.yaml, and those by which a site with these partitions and so small a cluster replaces them.
SITE = {
    "  # slurm_partition: cpu": "  slurm_partition: cpu",
    "    # slurm_partition: gpu": "    slurm_partition: gpu",
    "jobs: 100": "jobs: 4",
    "slurm-init-seconds-before-status-checks: 30": "slurm-init-seconds-before-status-checks: 3",
    "latency-wait: 60": "latency-wait: 5",
}
# A folder whose name is a command, and a workflow on a file in it: a job by itself, and two jobs that make a group.
# Our own rules refuse such a path at planning, so other rules show what the profile does with it.
HOSTILE = "site $(touch PWNED) `touch PWNED`"
WORKFLOW = f"""
rule all:
    input: "copy.txt", "grouped1.txt", "grouped2.txt"

rule copy:
    input: "{HOSTILE}/scan.txt"
    output: "copy.txt"
    resources: runtime=5, mem_mb=1000
    shell: "cat {{input:q}} > {{output}}"

use rule copy as copy_in_group with:
    output: "grouped{{number}}.txt"
    group: "copies"
"""


@dataclass
class Site:
    """Calls of `snakemake --profile slurm` in `directory`, on config/tiny.yaml with more of --config in `config`."""

    cluster: SlurmCluster | None
    directory: Path
    config: Sequence[str] = ()
    calls: list[subprocess.Popen] = field(default_factory=list)

    @property
    def results(self) -> Path:
        return self.directory / "results" / "tiny"

    def start(self, *arguments: str, edits: Mapping[str, str] | None = None) -> subprocess.Popen:
        """Start Snakemake with the shipped profile, edited as SITE and `edits` say, and return at once."""
        self.write_profile(edits)
        command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "--snakefile", str(CHECKOUT / "Snakefile")]
        command += [*arguments, "--configfile", str(CHECKOUT / "config" / "tiny.yaml")]
        command += ["--config", "base={model: base}", *self.config]
        with self.log.open("w") as log:
            call = subprocess.Popen(
                command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.calls.append(call)
        return call

    @property
    def log(self) -> Path:
        """The messages of the last call of Snakemake."""
        return self.directory / "snakemake.log"

    def finish(self, call: subprocess.Popen, timeout: int = 1200) -> None:
        """Wait until Snakemake ends, and require that it ended well. Kills it after `timeout` seconds."""
        try:
            code = call.wait(timeout)
        except subprocess.TimeoutExpired:
            self.stop()
            raise AssertionError(f"no end after {timeout} s:\n{self._tail()}") from None
        assert code == 0, self._tail()

    def run(self, *arguments: str, edits: Mapping[str, str] | None = None, timeout: int = 1200) -> None:
        """Start Snakemake and wait for its good end."""
        self.finish(self.start(*arguments, edits=edits), timeout)

    def copy(self, directory: Path) -> "Site":
        """The same working directory with all that it holds, elsewhere."""
        shutil.copytree(self.directory, directory)
        return Site(self.cluster, directory, self.config)

    def stop(self) -> None:
        """Kill what of this site's calls still runs."""
        for call in self.calls:
            if call.poll() is None:
                os.killpg(call.pid, signal.SIGKILL)
                call.wait()

    def copy_hostile(self, edits: Mapping[str, str] | None = None) -> subprocess.CompletedProcess:
        """Run WORKFLOW with the shipped profile, edited as for `start`, and capture what Snakemake prints."""
        source = self.directory / HOSTILE / "scan.txt"
        source.parent.mkdir()
        source.write_text("voxels")
        (self.directory / "Snakefile").write_text(WORKFLOW)
        self.write_profile(edits)
        command = ["timeout", "-s", "KILL", "300", sys.executable, "-m", "snakemake", "--profile", "slurm"]
        command += ["--group-components", "copies=2"]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.run(command, cwd=self.directory, text=True, check=False, **streams)

    def write_profile(self, edits: Mapping[str, str] | None = None) -> None:
        """Write the shipped profile into the working directory, edited as SITE and `edits` say."""
        lines = (CHECKOUT / "slurm" / "config.yaml").read_text().splitlines()
        for before, after in {**SITE, **(edits or {})}.items():
            assert lines.count(before) == 1, f"slurm/config.yaml has no line '{before}'"
            lines[lines.index(before)] = after
        (self.directory / "slurm").mkdir(exist_ok=True)
        (self.directory / "slurm" / "config.yaml").write_text("\n".join(lines) + "\n")

    def _tail(self) -> str:
        return self.log.read_text()[-6000:]

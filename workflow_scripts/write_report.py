"""Put every figure with its caption into one HTML file, by Snakemake's own report of the target `figures`."""

import subprocess
import sys
import tempfile
from pathlib import Path

from mosaicmr.io import save_json
from mosaicmr.stage import stage


def main(snakemake) -> None:
    snakefile = Path(snakemake.scriptdir).parent / "Snakefile"
    command = [sys.executable, "-m", "snakemake", "figures", "--report", snakemake.output[0]]
    # The outer Snakemake holds the lock of this folder, and the inner one only reads.
    command += ["--nolock", "--snakefile", str(snakefile)]
    # The inner Snakemake must see this run's configuration, whatever files and options it came from. It names the
    # cohort's folder, so it is no output.
    with tempfile.TemporaryDirectory() as folder, Path(snakemake.log[0]).open("a", encoding="utf-8") as log:
        config = Path(folder) / "config.json"
        save_json(config, snakemake.config)
        subprocess.run([*command, "--configfile", str(config)], stdout=log, stderr=log, check=True)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Put every figure with its caption into one HTML file, by Snakemake's own report of the target `figures`."""

import subprocess
import sys
from pathlib import Path

from mosaicmr.io import save_json
from mosaicmr.stage import stage


def main(snakemake) -> None:
    config, report = snakemake.output.config, snakemake.output.report
    # The inner Snakemake must see this run's configuration, whatever files and options it came from.
    save_json(config, snakemake.params.config)
    snakefile = Path(snakemake.scriptdir).parent / "Snakefile"
    command = [sys.executable, "-m", "snakemake", "figures", "--report", report]
    # The outer Snakemake holds the lock of this folder, and the inner one only reads.
    command += ["--nolock", "--snakefile", str(snakefile), "--configfile", config]
    with Path(snakemake.log[0]).open("a", encoding="utf-8") as log:
        subprocess.run(command, stdout=log, stderr=log, check=True)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

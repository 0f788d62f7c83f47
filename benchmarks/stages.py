"""Time and memory of a finished run, by rule, from the files that Snakemake's `benchmark:` wrote.

python benchmarks/stages.py results/demo
"""

import sys
from pathlib import Path

import pandas as pd


def stages(run: Path) -> pd.DataFrame:
    """Rows by rule, slowest first: jobs, seconds of all and of the longest, their CPU seconds, peak memory in MiB."""
    folder = run / "benchmarks"
    rows = [
        {"rule": path.relative_to(folder).parts[0].removesuffix(".tsv"), **read(path)} for path in folder.rglob("*.tsv")
    ]
    if not rows:
        sys.exit(f"{folder} holds no measurements: run the workflow first, for example with make demo.")
    groups = pd.DataFrame(rows).groupby("rule")
    table = groups.agg(
        jobs=("s", "size"),
        seconds=("s", "sum"),
        longest=("s", "max"),
        cpu=("cpu_time", "sum"),
        peak_mib=("max_rss", "max"),
    )
    return table.sort_values("seconds", ascending=False)


def read(path: Path) -> dict[str, float]:
    """Times and peak memory of one job; Snakemake writes '-' or 'NA' for a job that ended before it looked."""
    row = pd.read_csv(path, sep="\t", na_values=["-", "NA"]).iloc[-1]
    return {name: float(row[name]) for name in ("s", "cpu_time", "max_rss")}


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    table = stages(Path(sys.argv[1]))
    print(table.to_string(float_format=lambda value: f"{value:.1f}"))
    print(f"all jobs together: {table['seconds'].sum():.0f} s, of CPU {table['cpu'].sum():.0f} s")


if __name__ == "__main__":
    main()

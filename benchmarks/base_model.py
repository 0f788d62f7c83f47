"""Quality of a base model: every figure of the benchmark, as a Markdown table and in a JSON file.

python benchmarks/base_model.py [--base models/base] [--real FOLDER] [--only NAME ...] [--pictures FOLDER]

FOLDER of --real holds subjects in the naming of BraTS 2018-2021 that no base was trained on; without it, the figures of
real subjects are left out. Each figure is written as soon as it is measured, with its date and machine; those of
--only take their places among the others. Seconds include what a figure is the first to need, such as simulating
patients.
"""

import argparse
import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from benchmarks.base_figures.amounts import FULL, QUICK, TARGETS  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, default=CHECKOUT / "models" / "base", help="folder of a bundled base")
    parser.add_argument("--real", type=Path, help="folder of real subjects")
    parser.add_argument("--only", nargs="+", choices=TARGETS, metavar="NAME", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=CHECKOUT / "benchmarks" / "base_model.json")
    parser.add_argument(
        "--pictures", type=Path, help="folder for contact sheets; those named real_* show patients: do not publish them"
    )
    parser.add_argument("--quick", action="store_true", help="a few coarse slices, only to see that the command works")
    chosen = parser.parse_args()
    # Before NumPy and PyTorch start their pools.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(chosen.threads)
    from benchmarks.base_figures.run import Request, run
    from mosaicmr.errors import InputError

    amounts = QUICK if chosen.quick else FULL
    names = tuple(chosen.only or ())
    request = Request(chosen.base, chosen.real, amounts, names, chosen.threads, chosen.out, chosen.pictures)
    try:
        print(run(request))
    except InputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

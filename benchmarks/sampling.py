"""Denoising steps and guidance that suit a base: a table of their effect on its samples.

python benchmarks/sampling.py [--base models/base] [--steps 4 6 8 12 20] [--guidance 2] [--patients 16]

The patients are simulated, and neither in pretraining nor among those of base_model.py, whose figures this choice would
flatter otherwise. Samples for their layouts and prompts always start from the same noise. The table gives their Fréchet
distance to other patients, as a multiple of that of the patients' own slices; the share of regions where the tumour is
as dark or bright as the prompt asks, which is as the patient's own; and the seconds a slice.
"""

import argparse
import itertools
import os
import sys
from dataclasses import replace
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from benchmarks.base_figures.amounts import FULL, QUICK  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, default=CHECKOUT / "models" / "base", help="folder of a bundled base")
    parser.add_argument("--steps", type=int, nargs="+", default=[4, 6, 8, 12, 20])
    parser.add_argument("--guidance", type=float, nargs="+", default=[2.0])
    parser.add_argument("--patients", type=int, default=16, help="in each of the two sets")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="coarse slices, only to see that the command works")
    chosen = parser.parse_args()
    # Before NumPy and PyTorch start their pools.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(chosen.threads)
    from benchmarks.base_figures.sampling_table import sampling_table
    from mosaicmr.errors import InputError

    amounts = replace(QUICK if chosen.quick else FULL, patients=chosen.patients)
    try:
        for line in sampling_table(chosen.base, amounts, itertools.product(chosen.steps, chosen.guidance)):
            print(line, flush=True)
    except InputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

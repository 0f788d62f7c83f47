"""Seconds that a job saves by opening the base once for all of its experts, instead of once for each.

python benchmarks/opening_base.py [--base models/base] [--experts 6] [--repeat 5] [--config config/config.yaml]

Each repeat loads the same experts in both ways, which take turns. Opening verifies the checksum of every file of the
base; an expert is merged into a U-Net that was read from disk, or into a copy of the one that the base keeps. The last
line counts how often a run of the configuration does so.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))


def measure(model: Path, experts: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of each repeat by name: the parts of opening, and all `experts` with the base opened for each or once."""
    from mosaicmr.diffusion.adapters import add_adapter, save_adapter
    from mosaicmr.diffusion.base import Base
    from mosaicmr.diffusion.denoiser import Denoiser

    seconds: dict[str, list[float]] = {}

    def timed(name: str, action: Callable[[], Any]) -> None:
        start = time.perf_counter()
        action()
        seconds.setdefault(name, []).append(time.perf_counter() - start)

    def load(base: Base) -> None:
        Denoiser.load(base, expert)

    def load_all(base: Base) -> None:
        for _ in range(experts):
            load(base)

    with tempfile.TemporaryDirectory() as folder:
        opened, expert = Base.open(model), Path(folder)
        save_adapter(add_adapter(opened.load_unet(), "lora", 8, 1, "whole"), expert, opened.unet_name)
        load(opened)  # not counted: PyTorch and PEFT import parts of themselves at first use
        for _ in range(repeats):
            timed("verify all files", lambda: Base.open(model))
            timed("read the U-Net", opened.load_unet)
            timed("copy the U-Net and merge an expert", lambda: load(opened))
            timed("all experts, opened for each", lambda: [load(Base.open(model)) for _ in range(experts)])
            timed("all experts, opened once", lambda: load_all(Base.open(model)))
    return seconds


def count_experts(config: Mapping[str, Any]) -> list[int]:
    """How many experts each sampling job of a run loads."""
    from mosaicmr.cohort.labels import LabelScheme
    from mosaicmr.partition.domains import domain_names

    classes = LabelScheme.of_config(config["cohort"]).classes
    domains = len(domain_names(classes, config["partition"]["healthy_domains"]))
    # The jobs of a batch: partitions and their joint denoising, the whole slice, or all experts together.
    by_scheme = {"independent": [domains, 1], "single": [1], "joint": [domains + 1]}
    batches = -(-config["layouts"]["slices"] // config["layouts"]["slices_per_batch"])
    jobs = [job for variant in config["synthesis"]["variants"].values() for job in by_scheme[variant["scheme"]]]
    return [*jobs * batches, 1]  # and the sweep of prompts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, default=CHECKOUT / "models" / "base", help="folder of a bundled base")
    parser.add_argument("--experts", type=int, default=6, help="of a job")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--config", type=Path, default=CHECKOUT / "config" / "config.yaml")
    chosen = parser.parse_args()
    # Before NumPy and PyTorch start their pools.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(chosen.threads)
    import yaml

    found = measure(chosen.base, chosen.experts, chosen.repeat)
    print(f"Seconds, median (lowest to highest) of {chosen.repeat} repeats; {chosen.experts} experts:")
    for name, seconds in found.items():
        print(f"{name:36}  {statistics.median(seconds):7.3f}  ({min(seconds):.3f} to {max(seconds):.3f})")
    pairs = zip(found["all experts, opened for each"], found["all experts, opened once"], strict=True)
    ratios = [each / once for each, once in pairs]
    print(f"{'opened for each over opened once':36}  {statistics.median(ratios):7.2f}  "
          f"({min(ratios):.2f} to {max(ratios):.2f})")  # fmt: skip
    jobs = count_experts(yaml.safe_load(chosen.config.read_text(encoding="utf-8")))
    print(f"A run of {chosen.config.name} loads {sum(jobs)} experts in {len(jobs)} sampling jobs.")


if __name__ == "__main__":
    main()

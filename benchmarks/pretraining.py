"""The worth of pretraining's choices: slices simulated a second, and Muon against AdamW at equal steps.

    python benchmarks/pretraining.py simulation
    python benchmarks/pretraining.py optimizers results/pretraining/<digest>/prepared --steps 150

The second trains the U-Net of config.yaml from the same weights on the same batches, once with each optimizer at the
learning rates given, and prints the mean loss of each 25 steps and the seconds a step.
"""

import argparse
import copy
import statistics
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml

from mosaicmr.diffusion.unet import choose_attention
from mosaicmr.io import load_arrays
from mosaicmr.pretraining.bank import BankSettings, simulate_shard
from mosaicmr.pretraining.pretrain import settings_from
from mosaicmr.pretraining.unet import build_schedule, build_unet, spread_prompts, training_loss
from mosaicmr.pretraining.unet_sets import join_shards
from mosaicmr.seeds import torch_generator
from mosaicmr.simulation.anatomy import load_anatomy
from mosaicmr.training.averaging import WEIGHT_DECAY
from mosaicmr.training.optimizers import UNET_ENDS, MuonWithAdamW, OneOptimizer

CONFIG = Path(__file__).resolve().parent.parent / "config" / "config.yaml"
SEED = 1
WARMUP = 50
AVERAGED = 25  # steps whose mean loss is printed


def measure_simulation(banks: dict[str, BankSettings], slices: int, repeats: int) -> pd.DataFrame:
    """Slices a second of each bank on one thread, the banks taking turns: median of the repeats."""
    anatomy = load_anatomy()
    rates: dict[str, list[float]] = {name: [] for name in banks}
    for repeat in range(repeats):
        for name, bank in banks.items():
            start = time.monotonic()
            simulate_shard(anatomy, BankSettings(**{**vars(bank), "slices": slices}), SEED, repeat)
            rates[name].append(slices / (time.monotonic() - start))
    rows = [(name, banks[name].size, statistics.median(rate)) for name, rate in rates.items()]
    return pd.DataFrame(rows, columns=["bank", "pixels", "slices_per_second"])


def start_optimizer(name: str, unet: torch.nn.Module, rate: float) -> MuonWithAdamW | OneOptimizer:
    """'muon' as pretraining has it, or 'adamw' for all parameters."""
    if name == "muon":
        return MuonWithAdamW(unet, UNET_ENDS, rate, WEIGHT_DECAY)
    return OneOptimizer(torch.optim.AdamW(unet.parameters(), rate, weight_decay=WEIGHT_DECAY))


def compare_optimizers(folder: Path, steps: int, rates: dict[str, float]) -> pd.DataFrame:
    """Mean loss of each 25 steps and seconds a step of each optimizer, the two taking turns step by step."""
    settings = settings_from(yaml.safe_load(CONFIG.read_text())["pretrain"]).unet
    shards = [{name: torch.from_numpy(a) for name, a in load_arrays(path).items()} for path in sorted(folder.glob("*"))]
    data = join_shards(shards)
    torch.manual_seed(SEED)
    # Its reader, which is not trained here, finds nothing said in any prompt: the same for both.
    start = build_unet(settings, data.latents.shape[1], data.present.shape[-1], data.embeddings.shape[-1])
    spread_prompts(start, data)
    schedule, runs = build_schedule(), {}
    for name, rate in rates.items():
        unet = copy.deepcopy(start).train()
        choose_attention(unet, torch.device("cpu"), torch.bfloat16)
        optimizer = start_optimizer(name, unet, rate)
        runs[name] = (unet, optimizer, rate)
    records = []
    for step in range(steps):
        for name, (unet, optimizer, rate) in runs.items():
            began = time.monotonic()
            optimizer.set_rate(rate * min(1.0, (step + 1) / WARMUP))
            drawn = (data, settings.batch_size)
            generator = torch_generator(SEED, "benchmark", step)
            loss = training_loss(unet, schedule, drawn, settings, generator, "cpu")
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
            optimizer.step()
            records.append((name, step + 1, loss.item(), time.monotonic() - began))
    table = pd.DataFrame(records, columns=["optimizer", "step", "loss", "seconds"])
    table["up_to_step"] = np.ceil(table["step"] / AVERAGED).astype(int) * AVERAGED
    grouped = table.groupby(["up_to_step", "optimizer"], sort=False)
    return grouped.agg(loss=("loss", "mean"), seconds_per_step=("seconds", "median")).unstack()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    simulation = commands.add_parser("simulation")
    simulation.add_argument("--slices", type=int, default=24)
    simulation.add_argument("--repeat", type=int, default=3)
    optimizers = commands.add_parser("optimizers")
    optimizers.add_argument("folder", type=Path, help="prepared shards of one bank")
    optimizers.add_argument("--steps", type=int, default=150)
    optimizers.add_argument("--muon", type=float, default=0.003, help="learning rate")
    optimizers.add_argument("--adamw", type=float, default=0.0007, help="learning rate")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.command == "simulation":
        banks = settings_from(yaml.safe_load(CONFIG.read_text())["pretrain"]).banks
        print(measure_simulation(banks, arguments.slices, arguments.repeat).to_string(index=False))
    else:
        rates = {"muon": arguments.muon, "adamw": arguments.adamw}
        print(compare_optimizers(arguments.folder, arguments.steps, rates).round(4).to_string())


if __name__ == "__main__":
    main()

"""The cost of one more patient, slice, training step or layout, from a finished run: processor seconds and bytes.

python benchmarks/constants.py results/demo

Seconds of a stage are those of all its jobs, with the start of Python, divided by the number of their units.
"""

import sys
from pathlib import Path

import pandas as pd
from stages import stages

from mosaicmr.cohort.selection import TRAINING, select_splits

# The unit that the work of a stage grows with; a stage that is not named here has a cost that hardly grows.
SECONDS = {
    "subject": ("build_phantom", "check_subjects", "extract_slices"),
    "slice": ("tessellate_slices", "partition_slices", "figure_partition"),
    "training slice": ("encode_latents",),
    "training step": ("finetune_expert",),
    "layout": ("draw_layouts", "export_dataset"),
    "layout and independent variant": ("render_domains", "merge_renderings", "denoise_slices"),
    "layout and single variant": ("synthesize_slices",),
    "segmenter": ("train_segmenter", "score_segmenter"),
    "set of slices": ("extract_features", "extract_radiomics", "measure_fidelity", "measure_memorisation"),
}
BYTES = {
    "subject": ("phantom",),
    "slice": ("slices", "domains"),
    "training slice": ("latents",),
    "expert": ("experts",),
    "layout": ("layouts", "dataset"),
    "layout and independent variant": ("synthetic/*/renderings", "synthetic/*/merged"),
    "layout and variant": ("synthetic/*/slices",),
    "set of slices": ("evaluation/features", "evaluation/radiomics"),
}


def count_units(run: Path) -> dict[str, int]:
    """The number of each unit that a run has; 0 for stages that it did not reach."""
    subjects = pd.read_parquet(run / "cohort" / "subjects.parquet")
    slices = rows(run, "slices/*.parquet")
    of_training = select_splits(slices, subjects, TRAINING) if len(slices) else []
    layouts = len(rows(run, "layouts/*.parquet"))
    variants = len(list(run.glob("synthetic/*")))
    independent = len(list(run.glob("synthetic/*/renderings")))
    curves = [pd.read_parquet(path)["step"].max() for path in run.glob("experts/*/training.parquet")]
    return {
        "subject": len(subjects),
        "slice": len(slices),
        "training slice": len(of_training),
        "training step": int(sum(curves)),
        "expert": len(curves),
        "layout": layouts,
        "layout and variant": layouts * variants,
        "layout and independent variant": layouts * independent,
        "layout and single variant": layouts * (variants - independent),
        "segmenter": len(list(run.glob("evaluation/segmenter/*_patients.parquet"))),
        "set of slices": 1 + variants,
    }


def rows(run: Path, pattern: str) -> pd.DataFrame:
    """The tables of a run, joined."""
    tables = [pd.read_parquet(path) for path in sorted(run.glob(pattern))]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def size_of(run: Path, pattern: str) -> int:
    """Bytes of all files in the folders that a pattern names."""
    return sum(path.stat().st_size for folder in run.glob(pattern) for path in folder.rglob("*") if path.is_file())


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    run = Path(sys.argv[1])
    measured, units = stages(run)["cpu"], count_units(run)
    print(", ".join(f"{unit}: {count}" for unit, count in units.items()))
    for unit, names in SECONDS.items():
        for name in names:
            if name in measured and units[unit]:
                print(f"{name:24} {measured[name] / units[unit]:10.3f} s a {unit}")
    for unit, patterns in BYTES.items():
        for pattern in patterns:
            if (size := size_of(run, pattern)) and units[unit]:
                print(f"{pattern:24} {size / units[unit] / 1e6:10.3f} MB a {unit}")


if __name__ == "__main__":
    main()

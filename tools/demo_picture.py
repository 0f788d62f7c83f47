"""Draw the picture of README.md: three evenly spread pairs of slices from a finished demo.

python tools/demo_picture.py results/demo docs/images/demo_grid.png
"""

import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from mosaicmr.figures.grid import choose_pairs, draw_grid
from mosaicmr.figures.style import save_figure

CHECKOUT = Path(__file__).resolve().parent.parent
ROWS = 3


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    run, picture = Path(sys.argv[1]), sys.argv[2]
    config = yaml.safe_load((CHECKOUT / "config" / "config.yaml").read_text(encoding="utf-8"))
    cohort, variant = config["cohort"], config["export"]["variant"]
    slices = stored(run / "slices", "safetensors"), stored(run / "slices", "parquet")
    drawn = stored(run / "synthetic" / variant / "slices", "safetensors")
    layouts = stored(run / "layouts", "safetensors"), stored(run / "layouts", "parquet")
    pairs = choose_pairs(list(zip(*slices, strict=True)), list(zip(drawn, *layouts, strict=True)), ROWS)
    save_figure(draw_grid(*pairs, cohort["modalities"], variant, cohort["source"]), None, picture)


def stored(folder: Path, suffix: str) -> list[str]:
    """The files of a folder's shards or batches, in the order of their names."""
    return sorted(str(path) for path in folder.glob(f"*.{suffix}"))


if __name__ == "__main__":
    main()

"""Draw the picture of README.md: three evenly spread pairs of slices from a finished demo.

python tools/demo_picture.py results/demo docs/images/demo_grid.png
"""

import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.figures.grid import choose_pairs, draw_grid
from mosaicmr.figures.style import save_figure

CHECKOUT = Path(__file__).resolve().parent.parent
ROWS = 3


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    run, picture = Path(sys.argv[1]), sys.argv[2]
    config = yaml.safe_load((CHECKOUT / "config" / "config.yaml").read_text(encoding="utf-8"))
    variant = config["export"]["variant"]
    real = SliceSet.open_all(stored(run / "slices"))
    synthetic = SliceSet.open_all(stored(run / "layouts"), stored(run / "synthetic" / variant / "slices"))
    figure = draw_grid(*choose_pairs(real, synthetic, ROWS), variant, config["cohort"]["source"])
    save_figure(figure, None, picture)


def stored(folder: Path) -> list[Path]:
    """The files of a folder's shards or batches, in the order of their names."""
    return sorted(folder.glob("*.safetensors"))


if __name__ == "__main__":
    main()

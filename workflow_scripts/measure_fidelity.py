"""Compare slices with real slices: Fréchet distances, KID, SSIM and seams."""

from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.evaluation.feature_set import load_features
from mosaicmr.evaluation.fidelity import SSIM_PAIRS, floor_rows, ssim_rows, variant_rows
from mosaicmr.evaluation.intervals import metric_table
from mosaicmr.evaluation.slices import read_pieces
from mosaicmr.evaluation.ssim import real_ssim, source_ssim
from mosaicmr.io import load_table, save_table
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    real = load_features(files.real_features, files.real_table)
    sets = SliceSet.open_all(files.slices, files.more)
    if snakemake.wildcards.subset == "floor":
        rows = floor_rows(real, params.kid_subset, params.seed)
        pairs = real_ssim(real.table, read_pieces(sets, load_table(files.subjects)), SSIM_PAIRS, params.seed)
    else:
        synthetic = load_features(files.synthetic_features, files.synthetic_table)
        rows = variant_rows(synthetic, real, params.kid_subset, params.seed)
        pairs = source_ssim(read_pieces(sets, None))
    rows += ssim_rows(pairs, params.bootstrap, params.seed)
    save_table(snakemake.output[0], metric_table(rows))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Measure, once for every slice, the features that several metrics compare."""

from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.device import choose_device
from mosaicmr.evaluation.feature_set import join_features, measure_features, save_features
from mosaicmr.evaluation.features import load_efficientnet
from mosaicmr.evaluation.inception import load_inception
from mosaicmr.evaluation.slices import count_pieces, read_pieces
from mosaicmr.io import load_table
from mosaicmr.stage import progress, stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    device = str(choose_device(params.device))
    inception = load_inception(params.inception_weights, device) if params.inception_weights else None
    efficientnet = load_efficientnet(device)
    subjects = load_table(files.subjects) if snakemake.wildcards.subset == "real" else None
    sets = SliceSet.open_all(files.slices, files.more)
    what = f"features of {snakemake.wildcards.subset}, pieces"
    pieces = progress(read_pieces(sets, subjects), count_pieces(sets), what)
    features = join_features([measure_features(piece, efficientnet, inception, device) for piece in pieces])
    save_features(snakemake.output.features, snakemake.output.table, features)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

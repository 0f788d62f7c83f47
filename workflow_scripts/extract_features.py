"""Measure every slice once, for several metrics: network features, textures, steps at borders."""

from mosaicmr.device import choose_device
from mosaicmr.evaluation.feature_set import join_features, measure_features, save_features
from mosaicmr.evaluation.features import load_efficientnet
from mosaicmr.evaluation.inception import load_inception
from mosaicmr.evaluation.slices import count_pieces, read_batches
from mosaicmr.io import load_table
from mosaicmr.stage import progress, stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    device = str(choose_device(params.device))
    inception = load_inception(params.inception_weights, device) if params.inception_weights else None
    efficientnet = load_efficientnet(device)
    subjects = load_table(files.subjects) if snakemake.wildcards.subset == "real" else None
    batches = read_batches(files.slices, files.tables, files.domains, subjects)
    watched = progress(batches, count_pieces(files.tables), f"features of {snakemake.wildcards.subset}, pieces")
    features = join_features([measure_features(batch, efficientnet, inception, device) for batch in watched])
    save_features(snakemake.output.features, snakemake.output.table, features)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

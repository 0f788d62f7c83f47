"""Compare radiomic features with those of training patients, one by one and all together."""

from mosaicmr.cohort.selection import TRAINING, in_splits
from mosaicmr.evaluation.intervals import metric_table
from mosaicmr.evaluation.radiomics_comparison import (
    classifier_row,
    compare_features,
    feature_vectors,
    frechet_radiomics_row,
)
from mosaicmr.evaluation.slices import HELD_OUT
from mosaicmr.io import load_table, save_table
from mosaicmr.stage import stage


def main(snakemake) -> None:
    params = snakemake.params
    real, other = load_table(snakemake.input.real), load_table(snakemake.input.other)
    train = real[in_splits(real, TRAINING)]
    if snakemake.wildcards.subset == "floor":
        other = real[in_splits(real, *HELD_OUT)]
    save_table(snakemake.output.features, compare_features(train, other))
    vectors = feature_vectors(train, other)
    rows = [
        classifier_row(*vectors, params.bootstrap, params.seed),
        frechet_radiomics_row(*vectors, params.seed),
    ]
    save_table(snakemake.output.metrics, metric_table(rows))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

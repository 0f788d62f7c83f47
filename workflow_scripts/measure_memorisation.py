"""Count the slices that are nearer to a training slice than slices of other patients are."""

from mosaicmr.evaluation.feature_set import load_features
from mosaicmr.evaluation.intervals import metric_table
from mosaicmr.evaluation.memorisation import measure_memorisation
from mosaicmr.io import save_table
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    real = load_features(files.real_features, files.real_table)
    synthetic = None
    if snakemake.wildcards.subset != "floor":
        synthetic = load_features(files.synthetic_features, files.synthetic_table)
    row, neighbours = measure_memorisation(synthetic, real, params.bootstrap, params.seed)
    save_table(snakemake.output.metrics, metric_table([row]))
    save_table(snakemake.output.neighbours, neighbours)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Score the segmenter of an arm on held-out test patients."""

from mosaicmr.cohort.selection import TEST
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.device import choose_device
from mosaicmr.errors import InputError
from mosaicmr.io import load_table, save_table
from mosaicmr.segmentation.references import refer
from mosaicmr.segmentation.scores import score_metrics
from mosaicmr.segmentation.segmenter import load_segmenters, score_patients
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    segmenters = load_segmenters(files.weights, choose_device(params.device))
    test = refer(files.slices, files.slices, load_table(files.subjects), [TEST])
    if test.empty:
        raise InputError(
            "No test patient has a slice with the tumour area that cohort.min_tumour_area asks for, so nothing can be "
            "scored: lower it, or give more patients."
        )
    scores = score_patients(test, segmenters, SliceHeader.read(files.weights))
    save_table(snakemake.output.patients, scores)
    save_table(snakemake.output.metrics, score_metrics(scores, params.seed, params.bootstrap))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

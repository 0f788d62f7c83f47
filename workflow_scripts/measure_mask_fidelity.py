"""Measure how much of a layout's tumour a segmenter finds; the floor is the same on real test slices."""

from mosaicmr.cohort.selection import TEST
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.device import choose_device
from mosaicmr.io import load_table, save_table
from mosaicmr.segmentation.mask_fidelity import mask_fidelity_metrics, patient_dice
from mosaicmr.segmentation.references import refer
from mosaicmr.segmentation.segmenter import load_segmenters
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    if snakemake.wildcards.subset == "floor":
        references = refer(files.slices, files.slices, load_table(files.subjects), [TEST])
    else:
        references = refer(files.more, files.slices)
    segmenters = load_segmenters(files.weights, choose_device(params.device))
    by_patient = patient_dice(references, segmenters, SliceHeader.read(files.weights).classes)
    save_table(snakemake.output[0], mask_fidelity_metrics(by_patient, params.seed, params.bootstrap))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

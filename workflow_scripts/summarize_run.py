"""Gather every metric of the run into one JSON document."""

from mosaicmr.cohort.labels import occurring_classes
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.evaluation.prompt_accuracy import unasked_metrics
from mosaicmr.evaluation.summary import count_patients, count_scans, count_slices, summarize
from mosaicmr.io import load_table, load_tables, save_json
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    subjects = load_table(files.subjects)
    synthetic = len(load_tables(files.layout_tables))
    counts = {
        "scans": count_scans(load_table(files.verdicts)),
        "patients": count_patients(subjects),
        "slices": count_slices(load_tables(files.slice_tables), subjects, synthetic),
    }
    stages = (files.fidelity, files.radiomics, files.memorisation, files.mask_fidelity)
    # The floor, which comes first, is of real slices.
    accuracy = [unasked_metrics(), *map(load_table, files.prompt_accuracy)]
    subsets = {
        subset: [accuracy[index], *(load_table(paths[index]) for paths in stages)]
        for index, subset in enumerate(params.subsets)
    }
    arms = {arm: load_table(path) for arm, path in zip(params.arms, files.segmenters, strict=True)}
    classes = occurring_classes(SliceHeader.read(files.slices[0]).classes, subjects)
    save_json(snakemake.output[0], summarize(params.run, counts, subsets, arms, classes))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Train the segmenter of an arm once for each seed, without ever reading a test patient."""

from dataclasses import replace

from mosaicmr.cohort.labels import occurring_classes
from mosaicmr.cohort.selection import TRAINING, VALIDATION
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.device import choose_device
from mosaicmr.io import load_table, save_arrays, save_table
from mosaicmr.monitoring.journal import Journal
from mosaicmr.segmentation.arms import SegmenterSettings, Sets, Task, train_segmenter
from mosaicmr.segmentation.references import refer
from mosaicmr.segmentation.segmenter import describe_weights
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    subjects = load_table(files.subjects)
    sets = Sets(
        real=refer(files.slices, files.slices, subjects, [TRAINING]),
        synthetic=refer(files.synthetic, files.layouts),
        validation=refer(files.slices, files.slices, subjects, [VALIDATION]),
    )
    settings = SegmenterSettings(**params.settings)
    header = SliceHeader.read(files.slices[0])
    # The weights carry this header, so that scores count the same classes.
    header = replace(header, classes=occurring_classes(header.classes, subjects))
    task = Task(header, params.seed, choose_device(params.device))
    arm = snakemake.wildcards.arm
    with Journal(f"segmenter {arm}", params.progress, params.events) as journal:
        weights, curve = train_segmenter(arm, sets, settings, task, journal)
        save_table(snakemake.output.curve, curve)
        save_arrays(snakemake.output.weights, weights, describe_weights(task.header, settings.channels, settings.seeds))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

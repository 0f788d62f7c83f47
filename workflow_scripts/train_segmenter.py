"""Train the segmenter of an arm once for each seed, without ever reading a test patient."""

from mosaicmr.cohort.labels import scheme_classes
from mosaicmr.device import choose_device
from mosaicmr.io import load_table, save_arrays, save_table
from mosaicmr.monitoring.journal import Journal
from mosaicmr.segmentation.references import refer_real, refer_synthetic
from mosaicmr.segmentation.segmenter import describe_weights
from mosaicmr.segmentation.training import SegmenterSettings, Sets, Task, train_segmenter
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    subjects = load_table(files.subjects)
    sets = Sets(
        real=refer_real(files.slices, files.tables, subjects, ["train"]),
        synthetic=refer_synthetic(files.synthetic, files.layouts, files.layout_tables),
        validation=refer_real(files.slices, files.tables, subjects, ["val"]),
    )
    settings = SegmenterSettings(**params.settings)
    task = Task(
        modalities=len(params.modalities),
        classes=scheme_classes(params.label_scheme),
        pixel_size=params.pixel_size,
        seed=params.seed,
        device=choose_device(params.device),
    )
    arm = snakemake.wildcards.arm
    with Journal(f"segmenter {arm}", params.progress, params.events) as journal:
        weights, curve = train_segmenter(arm, sets, settings, task, journal)
        save_table(snakemake.output.curve, curve)
        facts = describe_weights(task.modalities, task.classes, settings.channels, settings.seeds)
        save_arrays(snakemake.output.weights, weights, facts)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

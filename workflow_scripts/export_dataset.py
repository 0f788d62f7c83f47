"""Write slices in nnU-Net's raw layout: those that were drawn and, if wanted, those of training patients."""

import logging

from mosaicmr.cohort.labels import occurring_classes
from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.io import load_table
from mosaicmr.stage import stage
from mosaicmr.synthesis.export import export_dataset
from mosaicmr.synthesis.export_cases import cases_of, group_cases, training_slices_of
from mosaicmr.synthesis.export_format import ExportFormat

logger = logging.getLogger("mosaicmr.export_dataset")


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    batches, subjects = SliceSet.open_all(files.layouts, files.slices), load_table(files.subjects)
    header = batches[0].header
    real = [training_slices_of(shard, subjects) for shard in SliceSet.open_all(files.real)]
    classes = occurring_classes(header.classes, subjects)
    names = (header, classes)
    form = ExportFormat.like(params.like, *names) if params.like else ExportFormat.plain(*names)
    groups, strict = group_cases(batches, real)
    if not strict:
        logger.warning(
            "tumours given from patient to patient connect all slices; folds part the layouts' patients only"
        )
    cases = cases_of(batches, real, groups)
    facts = {"variant": params.variant}
    export_dataset(snakemake.output.dataset, cases, header, form, facts, params.slice_spacing, strict)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Write slices in nnU-Net's raw layout: those that were drawn and, if wanted, those of training patients."""

import logging

import numpy as np
import pandas as pd

from mosaicmr.cohort.labels import occurring_classes
from mosaicmr.cohort.selection import TRAINING, in_splits, splits_of
from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.io import load_table
from mosaicmr.stage import stage
from mosaicmr.synthesis.export import ExportFormat, export_dataset
from mosaicmr.synthesis.export_cases import cases_of, group_cases

logger = logging.getLogger("mosaicmr.export_dataset")


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    batches, subjects = SliceSet.open_all(files.layouts, files.slices), load_table(files.subjects)
    header = batches[0].header
    real = [of_training_patients(shard, subjects) for shard in SliceSet.open_all(files.real)]
    classes = occurring_classes(header.classes, subjects)
    plain = params.like is None
    form = ExportFormat.plain(header, classes) if plain else ExportFormat.like(params.like, header, classes)
    groups, strict = group_cases(batches, real)
    if not strict:
        logger.warning(
            "tumours given from patient to patient connect all slices; folds part the layouts' patients only"
        )
    cases = cases_of(batches, real, groups)
    facts = {"variant": params.variant}
    export_dataset(snakemake.output.dataset, cases, header, form, facts, params.slice_spacing, strict)


def of_training_patients(shard: SliceSet, subjects: pd.DataFrame) -> SliceSet:
    """The slices of a shard that training may see."""
    split = splits_of(shard.table, subjects)
    return shard.keep(np.asarray(in_splits(split.to_frame("split"), TRAINING)))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

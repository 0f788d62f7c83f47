"""Write the drawn slices as a BIDS derivative."""

import hashlib
from pathlib import Path

from mosaicmr.cohort.labels import occurring_classes
from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.io import load_table
from mosaicmr.stage import stage
from mosaicmr.synthesis.export_bids import export_bids
from mosaicmr.synthesis.export_cases import cases_of, group_cases


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    batches = SliceSet.open_all(files.layouts, files.slices)
    header = batches[0].header
    experts = {Path(path).parent.name: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in files.experts}
    variant = params.settings
    facts = {
        "variant": params.variant,
        "scheme": variant["scheme"],
        "start": variant["start"],
        "strength": variant.get("strength", 1.0),
        "seed": params.seed,
        "experts": experts,
    }
    classes = occurring_classes(header.classes, load_table(files.subjects))
    groups, _ = group_cases(batches, [])
    export_bids(snakemake.output.dataset, cases_of(batches, [], groups), header, classes, facts, params.slice_spacing)


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

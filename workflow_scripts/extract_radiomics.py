"""Measure the radiomic features of every domain and modality."""

import pandas as pd

from mosaicmr.evaluation.radiomics import batch_features
from mosaicmr.evaluation.slices import count_pieces, describe_slices, pick_slices, read_batches
from mosaicmr.io import load_table, load_tables, save_table
from mosaicmr.stage import progress, stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    subjects = load_table(files.subjects) if snakemake.wildcards.subset == "real" else None
    known = describe_slices(load_tables(files.tables), subjects)
    chosen = known["slice"].iloc[pick_slices(known, params.settings["max_slices"], params.seed)]
    batches = read_batches(files.slices, files.tables, files.domains, subjects)
    watched = progress(batches, count_pieces(files.tables), f"radiomics of {snakemake.wildcards.subset}, pieces")
    tables = [
        batch_features(
            batch.keep(batch.table["slice"].isin(chosen).to_numpy()),
            params.domains,
            params.modalities,
            params.settings["features"],
            params.settings["bin_count"],
            params.pixel_size,
        )
        for batch in watched
    ]
    save_table(snakemake.output[0], pd.concat(tables, ignore_index=True))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

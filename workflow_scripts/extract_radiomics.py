"""Measure the radiomic features of every domain and modality."""

import pandas as pd

from mosaicmr.cohort.slice_set import SliceSet
from mosaicmr.evaluation.radiomics import batch_features
from mosaicmr.evaluation.slices import count_pieces, describe_slices, pick_slices, read_pieces
from mosaicmr.io import load_table, save_table
from mosaicmr.stage import progress, stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    subjects = load_table(files.subjects) if snakemake.wildcards.subset == "real" else None
    sets = SliceSet.open_all(files.slices, files.more)
    known = describe_slices(pd.concat([one.table for one in sets], ignore_index=True), subjects)
    chosen = known["slice"].iloc[pick_slices(known, params.settings["max_slices"], params.seed)]
    what = f"radiomics of {snakemake.wildcards.subset}, pieces"
    pieces = progress(read_pieces(sets, subjects), count_pieces(sets), what)
    wanted = (piece.keep(piece.table["slice"].isin(chosen).to_numpy()) for piece in pieces)
    tables = [batch_features(each, params.settings["features"], params.settings["bin_count"]) for each in wanted]
    save_table(snakemake.output[0], pd.concat(tables, ignore_index=True))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Fit the grey levels between the healthy domains on the training patients' cells."""

from mosaicmr.cohort.selection import TRAINING, select_splits
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.io import load_table, load_tables
from mosaicmr.partition.domains import save_domains
from mosaicmr.partition.fitting import fit_domains
from mosaicmr.stage import stage


def main(snakemake) -> None:
    files, params = snakemake.input, snakemake.params
    subjects = load_table(files.subjects)
    cells = select_splits(load_tables(files.cell_tables), subjects, TRAINING)
    classes = SliceHeader.read(files.cells[0]).classes
    domains = fit_domains(cells, classes, params.healthy_domains, params.seed)
    fitted = subjects.loc[subjects["subject"].isin(cells["subject"]), "patient"].nunique()
    save_domains(snakemake.output[0], domains, params.reference, int(fitted))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

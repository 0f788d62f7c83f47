"""Fit the grey levels between the healthy domains on the training patients' cells."""

from mosaicmr.io import load_table, load_tables
from mosaicmr.partition.domains import save_domains, training_cells
from mosaicmr.partition.fitting import fit_domains
from mosaicmr.stage import stage


def main(snakemake) -> None:
    params = snakemake.params
    subjects = load_table(snakemake.input.subjects)
    cells = training_cells(load_tables(snakemake.input.cell_tables), subjects)
    domains = fit_domains(cells, params.label_scheme, params.healthy_domains, params.seed)
    fitted = subjects.loc[subjects["subject"].isin(cells["subject"]), "patient"].nunique()
    save_domains(snakemake.output[0], domains, params.reference, int(fitted))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

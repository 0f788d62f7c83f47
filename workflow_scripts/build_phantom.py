"""Simulate a patient with a glioma, and write it in the naming of BraTS 2021."""

from mosaicmr.seeds import torch_generator
from mosaicmr.simulation.anatomy import load_anatomy
from mosaicmr.simulation.phantom import simulate_patient, write_patient
from mosaicmr.stage import stage


def main(snakemake) -> None:
    params = snakemake.params
    generator = torch_generator(params.seed, "phantom", snakemake.wildcards.patient)
    phantom = simulate_patient(load_anatomy(), generator, params.voxel_size, params.tumour_grid)
    write_patient(phantom, dict(snakemake.output.items()))


if "snakemake" in globals():
    with stage(snakemake.log[0], threads=snakemake.threads):
        main(snakemake)

"""Partition: tessellate healthy brain, fit the healthy domains, give every pixel its domain, and show the result."""

from mosaicmr.partition.domains import choose_reference

try:
    REFERENCE = choose_reference(config["cohort"]["modalities"], config["partition"]["reference_modality"])
except InputError as error:
    sys.exit(str(error))

TESSELLATION = {
    key: config["partition"][key]
    for key in ("cells", "iterations", "grey_weight", "density_power", "min_fragment_area")
}


rule tessellate_slices:
    """Divide the healthy brain of every slice into Voronoi cells of position and grey level."""
    input:
        **SLICES_OF_SHARD,
    output:
        cells=at("domains", "cells", "{shard}.safetensors"),
        table=at("domains", "cells", "{shard}.parquet"),
    params:
        settings=TESSELLATION,
        reference=REFERENCE,
        seed=config["seed"],
    log:
        at("logs", "tessellate_slices", "{shard}.log"),
    benchmark:
        at("benchmarks", "tessellate_slices", "{shard}.tsv")
    conda:
        "../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    script:
        "../workflow_scripts/tessellate_slices.py"


rule fit_domains:
    """Fit the grey levels between the healthy domains on the training patients' cells."""
    input:
        **CELLS,
        subjects=at("cohort", "subjects.parquet"),
    output:
        at("domains", "domains.json"),
    params:
        healthy_domains=config["partition"]["healthy_domains"],
        reference=REFERENCE,
        seed=config["seed"],
    log:
        at("logs", "fit_domains.log"),
    benchmark:
        at("benchmarks", "fit_domains.tsv")
    conda:
        "../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    script:
        "../workflow_scripts/fit_domains.py"


rule partition_slices:
    """Give every pixel of the brain its domain."""
    input:
        **SLICES_OF_SHARD,
        cells=at("domains", "cells", "{shard}.safetensors"),
        cell_table=at("domains", "cells", "{shard}.parquet"),
        domains=at("domains", "domains.json"),
    output:
        at("domains", "{shard}.safetensors"),
    log:
        at("logs", "partition_slices", "{shard}.log"),
    benchmark:
        at("benchmarks", "partition_slices", "{shard}.tsv")
    conda:
        "../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    script:
        "../workflow_scripts/partition_slices.py"


rule figure_partition:
    """Show the cells, the domains and the fitted grey levels, for the eye to check."""
    input:
        **SLICES,
        **CELLS,
        **DOMAIN_MAPS,
        subjects=at("cohort", "subjects.parquet"),
        domains=at("domains", "domains.json"),
    output:
        pdf=at("figures", "partition.pdf"),
        png=report(at("figures", "partition.png"), category="Partition", caption="../docs/captions/partition.rst"),
    log:
        at("logs", "figure_partition.log"),
    benchmark:
        at("benchmarks", "figure_partition.tsv")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    script:
        "../workflow_scripts/figure_partition.py"

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
        slices=at("slices", "{shard}.safetensors"),
        table=at("slices", "{shard}.parquet"),
    output:
        cells=at("domains", "cells", "{shard}.safetensors"),
        table=at("domains", "cells", "{shard}.parquet"),
    params:
        settings=TESSELLATION,
        reference=REFERENCE,
        modalities=config["cohort"]["modalities"],
        pixel_size=config["cohort"]["pixel_size"],
        seed=config["seed"],
        code=code("tessellate_slices"),
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
        subjects=at("cohort", "subjects.parquet"),
        cell_tables=expand(at("domains", "cells", "{shard}.parquet"), shard=SHARDS),
    output:
        at("domains", "domains.json"),
    params:
        label_scheme=config["cohort"]["label_scheme"],
        healthy_domains=config["partition"]["healthy_domains"],
        reference=REFERENCE,
        seed=config["seed"],
        code=code("fit_domains"),
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
        slices=at("slices", "{shard}.safetensors"),
        table=at("slices", "{shard}.parquet"),
        cells=at("domains", "cells", "{shard}.safetensors"),
        cell_table=at("domains", "cells", "{shard}.parquet"),
        domains=at("domains", "domains.json"),
    output:
        at("domains", "{shard}.safetensors"),
    params:
        code=code("partition_slices"),
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
        subjects=at("cohort", "subjects.parquet"),
        domains=at("domains", "domains.json"),
        slices=expand(at("slices", "{shard}.safetensors"), shard=SHARDS),
        tables=expand(at("slices", "{shard}.parquet"), shard=SHARDS),
        cells=expand(at("domains", "cells", "{shard}.safetensors"), shard=SHARDS),
        cell_tables=expand(at("domains", "cells", "{shard}.parquet"), shard=SHARDS),
        partitions=expand(at("domains", "{shard}.safetensors"), shard=SHARDS),
    output:
        pdf=at("figures", "partition.pdf"),
        png=report(
            at("figures", "partition.png"),
            category="Partition",
            caption="../docs/captions/partition.rst",
        ),
    params:
        modalities=config["cohort"]["modalities"],
        code=code("figure_partition"),
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

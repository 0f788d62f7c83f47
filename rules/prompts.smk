"""Prompts and layouts, which tell the experts what to draw in training and in synthesis."""


rule write_prompts:
    """Write the prompts of the training patients' slices for every domain, and the meaning of their words on looks."""
    input:
        subjects=at("cohort", "subjects.parquet"),
        domains=at("domains", "domains.json"),
        slices=expand(at("slices", "{shard}.safetensors"), shard=SHARDS),
        tables=expand(at("slices", "{shard}.parquet"), shard=SHARDS),
    output:
        table=at("prompts", "training.parquet"),
        appearance=at("prompts", "appearance.json"),
    params:
        modalities=config["cohort"]["modalities"],
        pixel_size=config["cohort"]["pixel_size"],
        code=code("write_prompts"),
    log:
        at("logs", "write_prompts.log"),
    benchmark:
        at("benchmarks", "write_prompts.tsv")
    conda:
        "../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    script:
        "../workflow_scripts/write_prompts.py"


rule draw_layouts:
    """Draw new layouts from training patients, with their aligned source slices and their prompts."""
    input:
        subjects=at("cohort", "subjects.parquet"),
        domains=at("domains", "domains.json"),
        slices=expand(at("slices", "{shard}.safetensors"), shard=SHARDS),
        tables=expand(at("slices", "{shard}.parquet"), shard=SHARDS),
        partitions=expand(at("domains", "{shard}.safetensors"), shard=SHARDS),
        appearance=at("prompts", "appearance.json"),
    output:
        arrays=at("layouts", "{batch}.safetensors"),
        table=at("layouts", "{batch}.parquet"),
    params:
        settings={key: config["layouts"][key] for key in ("mirror", "transplant", "deformation")},
        first=first_layout,
        last=last_layout,
        modalities=config["cohort"]["modalities"],
        pixel_size=config["cohort"]["pixel_size"],
        seed=config["seed"],
        code=code("draw_layouts"),
    log:
        at("logs", "draw_layouts", "{batch}.log"),
    benchmark:
        at("benchmarks", "draw_layouts", "{batch}.tsv")
    conda:
        "../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(20),
    script:
        "../workflow_scripts/draw_layouts.py"

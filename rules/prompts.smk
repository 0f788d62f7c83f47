"""Prompts and layouts, which tell the experts what to draw in training and in synthesis."""


rule write_prompts:
    """Write the prompt of every domain of the training patients' slices, and the meaning of its words on looks."""
    input:
        **SLICES,
        subjects=at("cohort", "subjects.parquet"),
        domains=at("domains", "domains.json"),
    output:
        table=at("prompts", "training.parquet"),
        looks=at("prompts", "looks.json"),
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
        **SLICES,
        **DOMAIN_MAPS,
        subjects=at("cohort", "subjects.parquet"),
        domains=at("domains", "domains.json"),
        looks=at("prompts", "looks.json"),
    output:
        layouts=at("layouts", "{batch}.safetensors"),
        table=at("layouts", "{batch}.parquet"),
    params:
        settings={key: config["layouts"][key] for key in ("mirror", "transplant", "deformation")},
        first=first_layout,
        last=last_layout,
        seed=config["seed"],
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


rule embed_prompts:
    """Embed every prompt of the layouts, or of the training slices, once."""
    input:
        tables=LAYOUTS["layout_tables"],
        base=base_files,
    output:
        embeddings=at("prompts", "embeddings.safetensors"),
        table=at("prompts", "embeddings.parquet"),
    params:
        model=base_model,
        device=config["device"],
    log:
        at("logs", "embed_prompts.log"),
    benchmark:
        at("benchmarks", "embed_prompts.tsv")
    conda:
        "../envs/diffusion.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(6000),
        runtime=growing(60),
    script:
        "../workflow_scripts/embed_prompts.py"


# A file of its own, so that other layouts, which have other prompts, leave the experts as they are.
use rule embed_prompts as embed_training_prompts with:
    input:
        tables=[at("prompts", "training.parquet")],
        base=base_files,
    output:
        embeddings=at("prompts", "training_embeddings.safetensors"),
        table=at("prompts", "training_embeddings.parquet"),
    log:
        at("logs", "embed_training_prompts.log"),
    benchmark:
        at("benchmarks", "embed_training_prompts.tsv")

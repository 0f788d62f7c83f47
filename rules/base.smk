"""From the base model: latents of the training slices and embeddings of the prompts, each computed once."""


rule encode_latents:
    """Encode the slices of the training patients of one shard."""
    input:
        slices=at("slices", "{shard}.safetensors"),
        table=at("slices", "{shard}.parquet"),
        subjects=at("cohort", "subjects.parquet"),
        base=base_files,
    output:
        at("latents", "{shard}.safetensors"),
    params:
        model=base_model,
        device=config["device"],
        code=code("encode_latents"),
    log:
        at("logs", "encode_latents", "{shard}.log"),
    benchmark:
        at("benchmarks", "encode_latents", "{shard}.tsv")
    conda:
        "../envs/diffusion.yaml"
    threads: config["threads"]
    resources:
        mem_mb=6000,
        runtime=60,
    script:
        "../workflow_scripts/encode_latents.py"


# Two files, so that other layouts, which have other prompts, leave the experts as they are.
rule embed_prompts:
    """Embed every prompt of the training slices, or of the layouts, once."""
    input:
        tables=prompt_tables,
        base=base_files,
    output:
        embeddings=at("prompts", "{prompts}.safetensors"),
        table=at("prompts", "{prompts}.parquet"),
    params:
        model=base_model,
        device=config["device"],
        code=code("embed_prompts"),
    log:
        at("logs", "embed_prompts", "{prompts}.log"),
    benchmark:
        at("benchmarks", "embed_prompts", "{prompts}.tsv")
    wildcard_constraints:
        prompts="training_embeddings|embeddings",
    conda:
        "../envs/diffusion.yaml"
    threads: config["threads"]
    resources:
        mem_mb=6000,
        runtime=60,
    script:
        "../workflow_scripts/embed_prompts.py"

"""From the base model: latents of the training slices and embeddings of the prompts, each computed once."""

if HUB_MODEL:

    rule fetch_base:
        """Fetch the base model's files from the Hugging Face hub, once for all jobs and runs."""
        output:
            # With the checksums of all others, so that it stands for them.
            os.path.join(config["base"]["model"], ORIGIN),
        params:
            model=HUB_MODEL,
            revision=config["base"]["revision"],
            code=code("fetch_base"),
        log:
            os.path.join("results", "models", "fetch_base.log"),
        benchmark:
            os.path.join("results", "models", "fetch_base.tsv")
        # Where Snakemake was started: the nodes of a cluster may not reach the internet.
        localrule: True
        conda:
            "../envs/diffusion.yaml"
        threads: 1
        resources:
            mem_mb=1000,
            runtime=60,
        script:
            "../workflow_scripts/fetch_base.py"


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
        mem_mb=growing(6000),
        runtime=growing(60),
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
        mem_mb=growing(6000),
        runtime=growing(60),
    script:
        "../workflow_scripts/embed_prompts.py"

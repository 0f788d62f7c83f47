"""The base model: its files, latents of the training slices, embeddings of the prompts, and its adaptation."""

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


if ADAPTED:

    # The checkpoint is no output, and how often it is written no parameter: see finetune_expert.
    rule adapt_base:
        """Fine-tune the base U-Net on the slices of the training patients, for all experts."""
        input:
            latents=expand(at("latents", "{shard}.safetensors"), shard=SHARDS),
            partitions=expand(at("domains", "{shard}.safetensors"), shard=SHARDS),
            tables=expand(at("slices", "{shard}.parquet"), shard=SHARDS),
            domains=at("domains", "domains.json"),
            prompts=at("prompts", "training.parquet"),
            embeddings=at("prompts", "training_embeddings.safetensors"),
            embedding_table=at("prompts", "training_embeddings.parquet"),
            base=base_files,
        output:
            facts=at("base", "adapted.json"),
            config=at("base", "unet", "config.json"),
            weights=at("base", "unet", "diffusion_pytorch_model.safetensors"),
            history=at("base", "training.parquet"),
        params:
            settings=without_checkpoints(config["adaptation"]),
            modalities=config["cohort"]["modalities"],
            base=config["base"],
            device=config["device"],
            seed=config["seed"],
            checkpoint=at("checkpoints", "base", "checkpoint.safetensors"),
            progress=at("progress", "adapt_base", "base.json"),
            events=at("tensorboard", "base"),
            code=code("adapt_base"),
        log:
            at("logs", "adapt_base.log"),
        benchmark:
            at("benchmarks", "adapt_base.tsv")
        conda:
            "../envs/diffusion.yaml"
        threads: config["threads"]
        resources:
            mem_mb=growing(24000),  # all weights are trained: a checkpoint of Stable Diffusion is 10 GB
            runtime=720,  # a job out of time goes on from its checkpoint in the next attempt
        script:
            "../workflow_scripts/adapt_base.py"

"""One expert a domain, and one for whole slices, each fine-tuned by a job of its own."""


# The checkpoint is no output: Snakemake deletes the outputs of a killed job, and this job goes on from its checkpoint.
# How often a checkpoint is written changes no weight, so the script reads it from the configuration.
rule finetune_expert:
    """Fine-tune the expert of one domain, or of whole slices."""
    input:
        latents=expand(at("latents", "{shard}.safetensors"), shard=SHARDS),
        partitions=expand(at("domains", "{shard}.safetensors"), shard=SHARDS),
        tables=expand(at("slices", "{shard}.parquet"), shard=SHARDS),
        domains=at("domains", "domains.json"),
        prompts=at("prompts", "training.parquet"),
        embeddings=at("prompts", "training_embeddings.safetensors"),
        embedding_table=at("prompts", "training_embeddings.parquet"),
        base=base_files,
        adapted=adapted_files,
    output:
        weights=at("experts", "{domain}", "adapter_model.safetensors"),
        config=at("experts", "{domain}", "adapter_config.json"),
        facts=at("experts", "{domain}", "expert.json"),
        history=at("experts", "{domain}", "training.parquet"),
    params:
        settings=without_checkpoints(config["experts"]),
        modalities=config["cohort"]["modalities"],
        base=BASE,
        device=config["device"],
        seed=config["seed"],
        checkpoint=at("checkpoints", "{domain}", "checkpoint.safetensors"),
        progress=at("progress", "finetune_expert", "{domain}.json"),
        events=at("tensorboard", "{domain}"),
        code=code("finetune_expert"),
    log:
        at("logs", "finetune_expert", "{domain}.log"),
    benchmark:
        at("benchmarks", "finetune_expert", "{domain}.tsv")
    conda:
        "../envs/diffusion.yaml"
    threads: 1  # experts side by side use cores better than threads within one
    resources:
        mem_mb=growing(12000),
        runtime=720,  # a job out of time goes on from its checkpoint in the next attempt
    script:
        "../workflow_scripts/finetune_expert.py"

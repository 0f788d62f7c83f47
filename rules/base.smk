"""The base model: fetched or pretrained on request, the latents of its autoencoder, its adaptation to the cohort."""

if HUB_MODEL:

    rule fetch_base:
        """Fetch the base model's files from the Hugging Face hub, once for all jobs and runs."""
        output:
            # With the checksums of all others, so that it stands for them.
            os.path.join(config["base"]["model"], ORIGIN),
        params:
            model=HUB_MODEL,
            revision=config["base"]["revision"],
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
        **SLICES_OF_SHARD,
        subjects=at("cohort", "subjects.parquet"),
        base=base_files,
    output:
        at("latents", "{shard}.safetensors"),
    params:
        model=base_model,
        device=config["device"],
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


if ADAPTED:

    # The checkpoint is no output, and how often it is written no parameter: see finetune_expert.
    rule adapt_base:
        """Fine-tune the base U-Net on the slices of the training patients, for all experts."""
        input:
            **TRAINING_SET,
        output:
            facts=at("base", "adapted.json"),
            config=at("base", "unet", "config.json"),
            weights=at("base", "unet", "diffusion_pytorch_model.safetensors"),
            history=at("base", "training.parquet"),
        params:
            settings=without_checkpoints(config["adaptation"]),
            base=config["base"],
            device=config["device"],
            seed=config["seed"],
            checkpoint=at("checkpoints", "base", "checkpoint.safetensors"),
            progress=at("progress", "adapt_base", "base.json"),
            events=at("tensorboard", "base"),
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


rule pretrain_base:
    """Simulate slices, train the bundled base on them, and write it: hours on a CPU, and never part of a run."""
    output:
        "results/pretraining/base/mosaicmr.json",
    params:
        # Beside the output: simulated slices and checkpoints, from which a killed run goes on.
        work=subpath(output[0], ancestor=2),
        progress="results/pretraining/progress/pretrain_base",  # for `make progress RUN=pretraining`
        # How often a checkpoint is written is no parameter: see finetune_expert.
        settings=without_checkpoints(config["pretrain"]),
        seed=config["seed"],
        device=config["device"],
    log:
        "results/pretraining/pretrain_base.log",
    benchmark:
        "results/pretraining/pretrain_base.tsv"
    conda:
        "../envs/diffusion.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(20000),
        runtime=600,  # a job out of time goes on from its checkpoint in the next attempt
    script:
        "../workflow_scripts/pretrain_base.py"

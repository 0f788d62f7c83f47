"""The bundled base model, from simulated anatomy alone. Never part of a run: `snakemake pretrain_base` makes it."""


rule pretrain_base:
    """Simulate slices, train the autoencoder and the U-Net on them, and write the base model (hours on a CPU)."""
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
        code=code("pretrain_base"),
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

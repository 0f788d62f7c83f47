"""Experts: one for each domain and one for whole slices, each fine-tuned by a job of its own."""

# The checkpoint is no output: Snakemake deletes the outputs of a killed job, and this job goes on from its checkpoint.
# How often a checkpoint is written changes no weight, so the script reads it from the configuration.
# The same weights in the names of diffusers, which knows low-rank updates alone.
LORA = config["experts"]["method"] == "lora"
LORA_FILES = dict(diffusers=at("experts", "{domain}", "pytorch_lora_weights.safetensors")) if LORA else {}


rule finetune_expert:
    """Fine-tune the expert of one domain, or of whole slices."""
    input:
        **TRAINING_SET,
        adapted=adapted_files,
    output:
        **LORA_FILES,
        weights=at("experts", "{domain}", "adapter_model.safetensors"),
        config=at("experts", "{domain}", "adapter_config.json"),
        facts=at("experts", "{domain}", "expert.json"),
        history=at("experts", "{domain}", "training.parquet"),
    params:
        settings=without_checkpoints(config["experts"]),
        base=BASE,
        device=config["device"],
        seed=config["seed"],
        checkpoint=at("checkpoints", "{domain}", "checkpoint.safetensors"),
        progress=at("progress", "finetune_expert", "{domain}.json"),
        events=at("tensorboard", "{domain}"),
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


rule figure_training:
    """Draw the training curve of every expert."""
    input:
        curves=expand(at("experts", "{domain}", "training.parquet"), domain=EXPERTS),
    output:
        pdf=at("figures", "training.pdf"),
        png=report(at("figures", "training.png"), category="Training", caption="../docs/captions/training.rst"),
    params:
        experts=EXPERTS,
    log:
        at("logs", "figure_training.log"),
    benchmark:
        at("benchmarks", "figure_training.tsv")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    script:
        "../workflow_scripts/figure_training.py"

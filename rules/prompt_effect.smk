"""Whether prompts decide how a tumour looks: one layout under other prompts, and how often slices look as asked."""


rule synthesize_prompt_sweep:
    """Draw one layout from the same noise under prompts that differ in one tumour class's brightness."""
    input:
        layouts=expand(at("layouts", "{batch}.safetensors"), batch=BATCHES),
        tables=expand(at("layouts", "{batch}.parquet"), batch=BATCHES),
        appearance=at("prompts", "appearance.json"),
        adapter=at("experts", "whole", "adapter_model.safetensors"),
        adapter_config=at("experts", "whole", "adapter_config.json"),
        base=base_files,
        adapted=adapted_files,
    output:
        slices=at("synthetic", "prompt_sweep.safetensors"),
        table=at("synthetic", "prompt_sweep.parquet"),
    params:
        sampling=SAMPLING,
        domains=DOMAINS,
        modalities=config["cohort"]["modalities"],
        pixel_size=config["cohort"]["pixel_size"],
        base=BASE,
        device=config["device"],
        seed=config["seed"],
        code=code("synthesize_prompt_sweep"),
    log:
        at("logs", "synthesize_prompt_sweep.log"),
    benchmark:
        at("benchmarks", "synthesize_prompt_sweep.tsv")
    conda:
        "../envs/diffusion.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(6000),
        runtime=growing(60),
    script:
        "../workflow_scripts/synthesize_prompt_sweep.py"


rule figure_prompts:
    """Show one layout under prompts that differ in one tumour class's brightness."""
    input:
        slices=at("synthetic", "prompt_sweep.safetensors"),
        table=at("synthetic", "prompt_sweep.parquet"),
    output:
        pdf=at("figures", "prompts.pdf"),
        png=report(
            at("figures", "prompts.png"),
            category="Slices",
            caption="../docs/captions/prompts.rst",
        ),
    params:
        modalities=config["cohort"]["modalities"],
        code=code("figure_prompts"),
    log:
        at("logs", "figure_prompts.log"),
    benchmark:
        at("benchmarks", "figure_prompts.tsv")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    script:
        "../workflow_scripts/figure_prompts.py"


rule measure_prompt_accuracy:
    """Measure how often a variant's slices look as their prompts asked."""
    input:
        slices=expand(at("synthetic", "{{variant}}", "slices", "{batch}.safetensors"), batch=BATCHES),
        layouts=expand(at("layouts", "{batch}.safetensors"), batch=BATCHES),
        tables=expand(at("layouts", "{batch}.parquet"), batch=BATCHES),
        appearance=at("prompts", "appearance.json"),
    output:
        metrics=at("evaluation", "prompt_accuracy", "{variant}.parquet"),
        looks=at("evaluation", "prompt_accuracy", "{variant}_looks.parquet"),
    params:
        modalities=config["cohort"]["modalities"],
        pixel_size=config["cohort"]["pixel_size"],
        seed=config["seed"],
        bootstrap=config["evaluation"]["bootstrap"],
        code=code("measure_prompt_accuracy"),
    log:
        at("logs", "measure_prompt_accuracy", "{variant}.log"),
    benchmark:
        at("benchmarks", "measure_prompt_accuracy", "{variant}.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    script:
        "../workflow_scripts/measure_prompt_accuracy.py"


rule figure_prompt_accuracy:
    """Draw how often each variant's tumours look as their prompts asked."""
    input:
        metrics=expand(at("evaluation", "prompt_accuracy", "{variant}.parquet"), variant=VARIANTS),
    output:
        pdf=at("figures", "prompt_accuracy.pdf"),
        png=report(
            at("figures", "prompt_accuracy.png"),
            category="Evaluation",
            caption="../docs/captions/prompt_accuracy.rst",
        ),
    params:
        variants=list(VARIANTS),
        label_scheme=config["cohort"]["label_scheme"],
        modalities=config["cohort"]["modalities"],
        code=code("figure_prompt_accuracy"),
    log:
        at("logs", "figure_prompt_accuracy.log"),
    benchmark:
        at("benchmarks", "figure_prompt_accuracy.tsv")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    script:
        "../workflow_scripts/figure_prompt_accuracy.py"

"""Effect of prompts: one layout under other words, and how often a tumour looks as its prompt asks."""


rule synthesize_prompt_sweep:
    """Draw one layout from the same noise under prompts that differ in one tumour class's brightness."""
    input:
        **LAYOUTS,
        **WHOLE_EXPERT,
        **BASE_FILES,
        looks=at("prompts", "looks.json"),
    output:
        slices=at("synthetic", "prompt_sweep.safetensors"),
        table=at("synthetic", "prompt_sweep.parquet"),
    params:
        **SAMPLING,
    log:
        at("logs", "synthesize_prompt_sweep.log"),
    benchmark:
        at("benchmarks", "synthesize_prompt_sweep.tsv")
    conda:
        "../envs/diffusion.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(10000),
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
        png=report(at("figures", "prompts.png"), category="Slices", caption="../docs/captions/prompts.rst"),
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
        **LAYOUTS,
        slices=drawn("{{variant}}"),
        scale=at("prompts", "looks.json"),
    output:
        metrics=at("evaluation", "prompt_accuracy", "{variant}.parquet"),
        looks=at("evaluation", "prompt_accuracy", "{variant}_looks.parquet"),
    params:
        seed=config["seed"],
        bootstrap=config["evaluation"]["bootstrap"],
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
        layouts=LAYOUTS["layouts"],
    output:
        pdf=at("figures", "prompt_accuracy.pdf"),
        png=report(
            at("figures", "prompt_accuracy.png"), category="Evaluation", caption="../docs/captions/prompt_accuracy.rst"
        ),
    params:
        variants=list(VARIANTS),
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

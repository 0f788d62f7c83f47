"""Usefulness: a segmenter for each arm, its scores on held-out patients, mask fidelity, and the run's summary."""


rule train_segmenter:
    """Train the segmenter of an arm once for each seed, without ever reading a test patient."""
    input:
        unpack(synthetic_of_arm),
        **SLICES,
        subjects=at("cohort", "subjects.parquet"),
    output:
        weights=at("evaluation", "segmenter", "{arm}.safetensors"),
        curve=at("evaluation", "segmenter", "{arm}_training.parquet"),
    params:
        settings=config["evaluation"]["segmenter"],
        seed=config["seed"],
        device=config["device"],
        progress=at("progress", "train_segmenter", "{arm}.json"),
        events=at("tensorboard", "segmenter_{arm}"),
    log:
        at("logs", "train_segmenter", "{arm}.log"),
    benchmark:
        at("benchmarks", "train_segmenter", "{arm}.tsv")
    conda:
        "../envs/evaluation.yaml"
    # On a CPU, arms side by side are faster than arms one after another with several threads each.
    threads: config["threads"] if config["device"] == "cuda" else 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(720),
    script:
        "../workflow_scripts/train_segmenter.py"


rule score_segmenter:
    """Score the segmenter of an arm on held-out test patients."""
    input:
        **SLICES,
        weights=at("evaluation", "segmenter", "{arm}.safetensors"),
        subjects=at("cohort", "subjects.parquet"),
    output:
        patients=at("evaluation", "segmenter", "{arm}_patients.parquet"),
        metrics=at("evaluation", "segmenter", "{arm}_metrics.parquet"),
    params:
        bootstrap=config["evaluation"]["bootstrap"],
        seed=config["seed"],
        device=config["device"],
    log:
        at("logs", "score_segmenter", "{arm}.log"),
    benchmark:
        at("benchmarks", "score_segmenter", "{arm}.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    script:
        "../workflow_scripts/score_segmenter.py"


rule measure_mask_fidelity:
    """Measure how much of a layout's tumour a segmenter finds; the floor is the same on real test slices."""
    input:
        unpack(labelled_files),
        weights=at("evaluation", "segmenter", "real+classical.safetensors"),
    output:
        at("evaluation", "mask_fidelity", "{subset}.parquet"),
    params:
        bootstrap=config["evaluation"]["bootstrap"],
        seed=config["seed"],
        device=config["device"],
    log:
        at("logs", "measure_mask_fidelity", "{subset}.log"),
    benchmark:
        at("benchmarks", "measure_mask_fidelity", "{subset}.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    script:
        "../workflow_scripts/measure_mask_fidelity.py"


rule figure_segmentation:
    """Draw the scores of each arm's segmenter on held-out patients."""
    input:
        metrics=expand(at("evaluation", "segmenter", "{arm}_metrics.parquet"), arm=ARMS),
        patients=expand(at("evaluation", "segmenter", "{arm}_patients.parquet"), arm=ARMS),
    output:
        pdf=at("figures", "segmentation.pdf"),
        png=report(
            at("figures", "segmentation.png"), category="Usefulness", caption="../docs/captions/segmentation.rst"
        ),
    params:
        arms=ARMS,
    log:
        at("logs", "figure_segmentation.log"),
    benchmark:
        at("benchmarks", "figure_segmentation.tsv")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    script:
        "../workflow_scripts/figure_segmentation.py"


rule summarize_run:
    """Gather every metric of the run into one JSON document."""
    input:
        **SLICES,
        verdicts=at("cohort", "verdicts.parquet"),
        subjects=at("cohort", "subjects.parquet"),
        fidelity=measured("fidelity", "{subset}.parquet"),
        radiomics=measured("radiomics", "{subset}_metrics.parquet"),
        memorisation=measured("memorisation", "{subset}.parquet"),
        mask_fidelity=measured("mask_fidelity", "{subset}.parquet"),
        prompt_accuracy=expand(at("evaluation", "prompt_accuracy", "{variant}.parquet"), variant=VARIANTS),
        segmenters=expand(at("evaluation", "segmenter", "{arm}_metrics.parquet"), arm=ARMS),
        layout_tables=LAYOUTS["layout_tables"],
    output:
        at("summary.json"),
    params:
        run=config["run"],
        subsets=["floor", *VARIANTS],
        arms=ARMS,
    log:
        at("logs", "summarize_run.log"),
    benchmark:
        at("benchmarks", "summarize_run.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    script:
        "../workflow_scripts/summarize_run.py"

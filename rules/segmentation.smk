"""Usefulness: a segmenter for each arm, its scores on held-out patients, mask fidelity, and the run's summary."""


rule train_segmenter:
    """Train the segmenter of an arm once for each seed, without ever reading a test patient."""
    input:
        subjects=at("cohort", "subjects.parquet"),
        slices=expand(at("slices", "{shard}.safetensors"), shard=SHARDS),
        tables=expand(at("slices", "{shard}.parquet"), shard=SHARDS),
        synthetic=branch(
            evaluate("'synthetic' in {arm}"),
            then=expand(at("synthetic", config["export"]["variant"], "slices", "{batch}.safetensors"), batch=BATCHES),
        ),
        layouts=branch(
            evaluate("'synthetic' in {arm}"), then=expand(at("layouts", "{batch}.safetensors"), batch=BATCHES)
        ),
        layout_tables=branch(
            evaluate("'synthetic' in {arm}"), then=expand(at("layouts", "{batch}.parquet"), batch=BATCHES)
        ),
    output:
        weights=at("evaluation", "segmenter", "{arm}.safetensors"),
        curve=at("evaluation", "segmenter", "{arm}_training.parquet"),
    params:
        settings=config["evaluation"]["segmenter"],
        modalities=config["cohort"]["modalities"],
        label_scheme=config["cohort"]["label_scheme"],
        pixel_size=config["cohort"]["pixel_size"],
        seed=config["seed"],
        device=config["device"],
        progress=at("progress", "train_segmenter", "{arm}.json"),
        events=at("tensorboard", "segmenter_{arm}"),
        code=code("train_segmenter"),
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
        weights=at("evaluation", "segmenter", "{arm}.safetensors"),
        subjects=at("cohort", "subjects.parquet"),
        slices=expand(at("slices", "{shard}.safetensors"), shard=SHARDS),
        tables=expand(at("slices", "{shard}.parquet"), shard=SHARDS),
    output:
        patients=at("evaluation", "segmenter", "{arm}_patients.parquet"),
        metrics=at("evaluation", "segmenter", "{arm}_metrics.parquet"),
    params:
        label_scheme=config["cohort"]["label_scheme"],
        pixel_size=config["cohort"]["pixel_size"],
        bootstrap=config["evaluation"]["bootstrap"],
        seed=config["seed"],
        device=config["device"],
        code=code("score_segmenter"),
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
    """Measure how much of a layout's tumour a segmenter finds; for the floor, of real test slices' tumours."""
    input:
        weights=at("evaluation", "segmenter", "real+classical.safetensors"),
        subjects=at("cohort", "subjects.parquet"),
        slices=branch(
            evaluate("{subset} == 'floor'"),
            then=expand(at("slices", "{shard}.safetensors"), shard=SHARDS),
            otherwise=expand(at("synthetic", "{{subset}}", "slices", "{batch}.safetensors"), batch=BATCHES),
        ),
        layouts=branch(
            evaluate("{subset} == 'floor'"),
            otherwise=expand(at("layouts", "{batch}.safetensors"), batch=BATCHES),
        ),
        tables=branch(
            evaluate("{subset} == 'floor'"),
            then=expand(at("slices", "{shard}.parquet"), shard=SHARDS),
            otherwise=expand(at("layouts", "{batch}.parquet"), batch=BATCHES),
        ),
    output:
        at("evaluation", "mask_fidelity", "{subset}.parquet"),
    params:
        label_scheme=config["cohort"]["label_scheme"],
        bootstrap=config["evaluation"]["bootstrap"],
        seed=config["seed"],
        device=config["device"],
        code=code("measure_mask_fidelity"),
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


rule summarize_run:
    """Gather every metric of the run into one JSON document."""
    input:
        subjects=at("cohort", "subjects.parquet"),
        slices=expand(at("slices", "{shard}.parquet"), shard=SHARDS),
        layouts=expand(at("layouts", "{batch}.parquet"), batch=BATCHES),
        fidelity=expand(at("evaluation", "fidelity", "{subset}.parquet"), subset=["floor", *VARIANTS]),
        radiomics=expand(at("evaluation", "radiomics", "{subset}_metrics.parquet"), subset=["floor", *VARIANTS]),
        novelty=expand(at("evaluation", "novelty", "{subset}.parquet"), subset=["floor", *VARIANTS]),
        mask_fidelity=expand(at("evaluation", "mask_fidelity", "{subset}.parquet"), subset=["floor", *VARIANTS]),
        prompt_accuracy=expand(at("evaluation", "prompt_accuracy", "{variant}.parquet"), variant=VARIANTS),
        segmenters=expand(at("evaluation", "segmenter", "{arm}_metrics.parquet"), arm=ARMS),
    output:
        at("summary.json"),
    params:
        run=config["run"],
        subsets=["floor", *VARIANTS],
        arms=ARMS,
        label_scheme=config["cohort"]["label_scheme"],
        code=code("summarize_run"),
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

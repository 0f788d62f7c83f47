"""Usefulness: a segmenter for each arm, its scores on held-out patients, mask fidelity, and the summary of the run."""

SUBSETS = ["floor", *VARIANTS]


def arm_files(*pattern):
    """An input function: a file of every batch for the arms that train on synthetic slices, none for the others."""

    def files(wildcards):
        return expand(at(*pattern), batch=BATCHES) if "synthetic" in wildcards.arm else []

    return files


def subset_files(real, synthetic):
    """An input function: a file of every shard for the floor, of every batch for a variant."""

    def files(wildcards):
        if wildcards.subset == "floor":
            return expand(at(*real), shard=SHARDS)
        return expand(at(*synthetic), batch=BATCHES, variant=wildcards.subset)

    return files


rule train_segmenter:
    """Train a U-Net on the slices of one arm, once for each seed."""
    input:
        subjects=at("cohort", "subjects.parquet"),
        slices=expand(at("slices", "{shard}.safetensors"), shard=SHARDS),
        tables=expand(at("slices", "{shard}.parquet"), shard=SHARDS),
        synthetic=arm_files("synthetic", config["export"]["variant"], "slices", "{batch}.safetensors"),
        layouts=arm_files("layouts", "{batch}.safetensors"),
        layout_tables=arm_files("layouts", "{batch}.parquet"),
    output:
        weights=at("evaluation", "segmenter", "{arm}.safetensors"),
        curve=at("evaluation", "segmenter", "{arm}_training.parquet"),
    log:
        at("logs", "train_segmenter", "{arm}.log"),
    benchmark:
        at("benchmarks", "train_segmenter", "{arm}.tsv")
    conda:
        "../envs/evaluation.yaml"
    # On a CPU, arms side by side are faster than arms one after another with several threads each.
    threads: config["threads"] if config["device"] == "cuda" else 1
    resources:
        mem_mb=4000,
        runtime=720,
    params:
        settings=config["evaluation"]["segmenter"],
        modalities=config["cohort"]["modalities"],
        label_scheme=config["cohort"]["label_scheme"],
        pixel_size=config["cohort"]["pixel_size"],
        seed=config["seed"],
        device=config["device"],
        code=code("train_segmenter"),
    script:
        "../workflow_scripts/train_segmenter.py"


rule score_segmenter:
    """Score an arm's segmenter on held-out test patients."""
    input:
        weights=at("evaluation", "segmenter", "{arm}.safetensors"),
        subjects=at("cohort", "subjects.parquet"),
        slices=expand(at("slices", "{shard}.safetensors"), shard=SHARDS),
        tables=expand(at("slices", "{shard}.parquet"), shard=SHARDS),
    output:
        patients=at("evaluation", "segmenter", "{arm}_patients.parquet"),
        metrics=at("evaluation", "segmenter", "{arm}_metrics.parquet"),
    log:
        at("logs", "score_segmenter", "{arm}.log"),
    benchmark:
        at("benchmarks", "score_segmenter", "{arm}.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        label_scheme=config["cohort"]["label_scheme"],
        pixel_size=config["cohort"]["pixel_size"],
        bootstrap=config["evaluation"]["bootstrap"],
        seed=config["seed"],
        device=config["device"],
        code=code("score_segmenter"),
    script:
        "../workflow_scripts/score_segmenter.py"


rule measure_mask_fidelity:
    """Look with a segmenter trained on real slices for the tumours that the layouts asked for."""
    input:
        weights=at("evaluation", "segmenter", "real+classical.safetensors"),
        subjects=at("cohort", "subjects.parquet"),
        slices=subset_files(
            ["slices", "{shard}.safetensors"],
            ["synthetic", "{variant}", "slices", "{batch}.safetensors"],
        ),
        layouts=subset_files(["slices", "{shard}.safetensors"], ["layouts", "{batch}.safetensors"]),
        tables=subset_files(["slices", "{shard}.parquet"], ["layouts", "{batch}.parquet"]),
    output:
        at("evaluation", "mask_fidelity", "{subset}.parquet"),
    log:
        at("logs", "measure_mask_fidelity", "{subset}.log"),
    benchmark:
        at("benchmarks", "measure_mask_fidelity", "{subset}.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        label_scheme=config["cohort"]["label_scheme"],
        bootstrap=config["evaluation"]["bootstrap"],
        seed=config["seed"],
        device=config["device"],
        code=code("measure_mask_fidelity"),
    script:
        "../workflow_scripts/measure_mask_fidelity.py"


rule summarize_run:
    """Gather every metric of the run into one document."""
    input:
        subjects=at("cohort", "subjects.parquet"),
        slices=expand(at("slices", "{shard}.parquet"), shard=SHARDS),
        layouts=expand(at("layouts", "{batch}.parquet"), batch=BATCHES),
        fidelity=expand(at("evaluation", "fidelity", "{subset}.parquet"), subset=SUBSETS),
        radiomics=expand(at("evaluation", "radiomics", "{subset}_metrics.parquet"), subset=SUBSETS),
        novelty=expand(at("evaluation", "novelty", "{subset}.parquet"), subset=SUBSETS),
        mask_fidelity=expand(at("evaluation", "mask_fidelity", "{subset}.parquet"), subset=SUBSETS),
        segmenters=expand(at("evaluation", "segmenter", "{arm}_metrics.parquet"), arm=ARMS),
    output:
        at("summary.json"),
    log:
        at("logs", "summarize_run.log"),
    benchmark:
        at("benchmarks", "summarize_run.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        run=config["run"],
        subsets=SUBSETS,
        arms=ARMS,
        label_scheme=config["cohort"]["label_scheme"],
        code=code("summarize_run"),
    script:
        "../workflow_scripts/summarize_run.py"

"""Evaluation: fidelity and radiomics of every variant, and its copies of training slices."""


rule extract_features:
    """Measure, once for every slice, the features that several metrics compare."""
    input:
        unpack(subset_files),
    output:
        features=at("evaluation", "features", "{subset}.safetensors"),
        table=at("evaluation", "features", "{subset}.parquet"),
    params:
        inception_weights=config["evaluation"]["inception_weights"],
        device=config["device"],
    log:
        at("logs", "extract_features", "{subset}.log"),
    benchmark:
        at("benchmarks", "extract_features", "{subset}.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    script:
        "../workflow_scripts/extract_features.py"


rule measure_fidelity:
    """Compare slices with real slices: Fréchet distances, KID, SSIM and seams."""
    input:
        unpack(subset_files),
        unpack(subset_features),
    output:
        at("evaluation", "fidelity", "{subset}.parquet"),
    params:
        seed=config["seed"],
        bootstrap=config["evaluation"]["bootstrap"],
        kid_subset=config["evaluation"]["kid_subset"],
    log:
        at("logs", "measure_fidelity", "{subset}.log"),
    benchmark:
        at("benchmarks", "measure_fidelity", "{subset}.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    script:
        "../workflow_scripts/measure_fidelity.py"


rule extract_radiomics:
    """Measure the radiomic features of every domain and modality."""
    input:
        unpack(subset_files),
    output:
        at("evaluation", "radiomics", "features", "{subset}.parquet"),
    params:
        seed=config["seed"],
        settings=config["evaluation"]["radiomics"],
    log:
        at("logs", "extract_radiomics", "{subset}.log"),
    benchmark:
        at("benchmarks", "extract_radiomics", "{subset}.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    script:
        "../workflow_scripts/extract_radiomics.py"


rule compare_radiomics:
    """Compare radiomic features with those of training patients, one by one and all together."""
    input:
        real=at("evaluation", "radiomics", "features", "real.parquet"),
        other=other_radiomics,
    output:
        features=at("evaluation", "radiomics", "{subset}.parquet"),
        metrics=at("evaluation", "radiomics", "{subset}_metrics.parquet"),
    params:
        seed=config["seed"],
        bootstrap=config["evaluation"]["bootstrap"],
    log:
        at("logs", "compare_radiomics", "{subset}.log"),
    benchmark:
        at("benchmarks", "compare_radiomics", "{subset}.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    script:
        "../workflow_scripts/compare_radiomics.py"


rule measure_memorisation:
    """Count the slices that are nearer to a training slice than slices of other patients are."""
    input:
        unpack(subset_features),
    output:
        metrics=at("evaluation", "memorisation", "{subset}.parquet"),
        neighbours=at("evaluation", "memorisation", "{subset}_neighbours.parquet"),
    params:
        seed=config["seed"],
        bootstrap=config["evaluation"]["bootstrap"],
    log:
        at("logs", "measure_memorisation", "{subset}.log"),
    benchmark:
        at("benchmarks", "measure_memorisation", "{subset}.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    script:
        "../workflow_scripts/measure_memorisation.py"

"""How real and how new: features, fidelity, radiomics and copies of every variant, beside real slices."""


rule extract_features:
    """Measure every slice once, for several metrics: network features, textures, steps at borders."""
    input:
        unpack(subset_files),
    output:
        features=at("evaluation", "features", "{subset}.safetensors"),
        table=at("evaluation", "features", "{subset}.parquet"),
    params:
        inception_weights=config["evaluation"]["inception_weights"],
        device=config["device"],
        code=code("extract_features"),
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
    """Compare slices with real ones: Fréchet distances, KID, SSIM and seams."""
    input:
        unpack(subset_files),
        unpack(subset_features),
    output:
        at("evaluation", "fidelity", "{subset}.parquet"),
    params:
        seed=config["seed"],
        bootstrap=config["evaluation"]["bootstrap"],
        kid_subset=config["evaluation"]["kid_subset"],
        code=code("measure_fidelity"),
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
        modalities=config["cohort"]["modalities"],
        pixel_size=config["cohort"]["pixel_size"],
        domains=DOMAINS,
        code=code("extract_radiomics"),
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
        code=code("compare_radiomics"),
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


rule measure_novelty:
    """Count the slices that are nearer to a training slice than slices of other patients are."""
    input:
        unpack(subset_features),
    output:
        metrics=at("evaluation", "novelty", "{subset}.parquet"),
        neighbours=at("evaluation", "novelty", "{subset}_neighbours.parquet"),
    params:
        seed=config["seed"],
        bootstrap=config["evaluation"]["bootstrap"],
        code=code("measure_novelty"),
    log:
        at("logs", "measure_novelty", "{subset}.log"),
    benchmark:
        at("benchmarks", "measure_novelty", "{subset}.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    script:
        "../workflow_scripts/measure_novelty.py"

"""How real, how new: features, fidelity, radiomics and copies of every variant, with the real-versus-real floor."""


def subset_files(wildcards):
    """The slices of a subset, their tables and domain maps; for `real`, also the split of the cohort."""
    if wildcards.subset in VARIANTS:
        return {
            "slices": expand(at("synthetic", wildcards.subset, "slices", "{batch}.safetensors"), batch=BATCHES),
            "tables": expand(at("layouts", "{batch}.parquet"), batch=BATCHES),
            "domains": expand(at("layouts", "{batch}.safetensors"), batch=BATCHES),
        }
    return {
        "slices": expand(at("slices", "{shard}.safetensors"), shard=SHARDS),
        "tables": expand(at("slices", "{shard}.parquet"), shard=SHARDS),
        "domains": expand(at("domains", "{shard}.safetensors"), shard=SHARDS),
        "subjects": at("cohort", "subjects.parquet"),
    }


def subset_features(wildcards):
    """The features of the real slices and, for a variant, of its own."""
    subsets = {"real": "real"} | ({"synthetic": wildcards.subset} if wildcards.subset in VARIANTS else {})
    return {
        f"{side}_{kind}": at("evaluation", "features", f"{subset}.{suffix}")
        for side, subset in subsets.items()
        for kind, suffix in (("features", "safetensors"), ("table", "parquet"))
    }


def other_radiomics(wildcards):
    """The radiomic features to compare with those of training patients; the floor finds its own among the real."""
    subset = wildcards.subset if wildcards.subset in VARIANTS else "real"
    return at("evaluation", "radiomics", "features", f"{subset}.parquet")


rule extract_features:
    """Measure of every slice once what several metrics compare: network features, textures, steps at borders."""
    input:
        unpack(subset_files),
    output:
        features=at("evaluation", "features", "{subset}.safetensors"),
        table=at("evaluation", "features", "{subset}.parquet"),
    log:
        at("logs", "extract_features", "{subset}.log"),
    benchmark:
        at("benchmarks", "extract_features", "{subset}.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: config["threads"]
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        inception_weights=config["evaluation"]["inception_weights"],
        device=config["device"],
        code=code("extract_features"),
    script:
        "../workflow_scripts/extract_features.py"


rule measure_fidelity:
    """Compare slices with real ones: Fréchet distances, KID, SSIM and seams."""
    input:
        unpack(subset_files),
        unpack(subset_features),
    output:
        at("evaluation", "fidelity", "{subset}.parquet"),
    log:
        at("logs", "measure_fidelity", "{subset}.log"),
    benchmark:
        at("benchmarks", "measure_fidelity", "{subset}.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        seed=config["seed"],
        bootstrap=config["evaluation"]["bootstrap"],
        kid_subset=config["evaluation"]["kid_subset"],
        code=code("measure_fidelity"),
    script:
        "../workflow_scripts/measure_fidelity.py"


rule extract_radiomics:
    """Measure the radiomic features of every domain and modality."""
    input:
        unpack(subset_files),
    output:
        at("evaluation", "radiomics", "features", "{subset}.parquet"),
    log:
        at("logs", "extract_radiomics", "{subset}.log"),
    benchmark:
        at("benchmarks", "extract_radiomics", "{subset}.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        seed=config["seed"],
        settings=config["evaluation"]["radiomics"],
        modalities=config["cohort"]["modalities"],
        pixel_size=config["cohort"]["pixel_size"],
        domains=DOMAINS,
        code=code("extract_radiomics"),
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
    log:
        at("logs", "compare_radiomics", "{subset}.log"),
    benchmark:
        at("benchmarks", "compare_radiomics", "{subset}.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        seed=config["seed"],
        bootstrap=config["evaluation"]["bootstrap"],
        code=code("compare_radiomics"),
    script:
        "../workflow_scripts/compare_radiomics.py"


rule measure_novelty:
    """Count the slices that are nearer to a training slice than slices of other patients are."""
    input:
        unpack(subset_features),
    output:
        metrics=at("evaluation", "novelty", "{subset}.parquet"),
        neighbours=at("evaluation", "novelty", "{subset}_neighbours.parquet"),
    log:
        at("logs", "measure_novelty", "{subset}.log"),
    benchmark:
        at("benchmarks", "measure_novelty", "{subset}.tsv")
    conda:
        "../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        seed=config["seed"],
        bootstrap=config["evaluation"]["bootstrap"],
        code=code("measure_novelty"),
    script:
        "../workflow_scripts/measure_novelty.py"

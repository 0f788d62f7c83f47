"""From layouts to synthetic slices, by each scheme."""

# The keys of `synthesis` that every sampling stage reads; its other keys make no sampling stale.
SAMPLING = {key: config["synthesis"][key] for key in ["steps", "guidance_scale", "share_noise"]}


# Partitions are kept: a change of `feather` or `merge_strength` then merges again and samples nothing anew.
rule synthesize_partitions:
    """Let each domain's expert draw the slices of a batch on its own."""
    input:
        layouts=at("layouts", "{batch}.safetensors"),
        table=at("layouts", "{batch}.parquet"),
        embeddings=at("prompts", "embeddings.safetensors"),
        prompts=at("prompts", "embeddings.parquet"),
        adapters=expand(at("experts", "{domain}", "adapter_model.safetensors"), domain=DOMAINS),
        adapter_configs=expand(at("experts", "{domain}", "adapter_config.json"), domain=DOMAINS),
        base=base_files,
        adapted=adapted_files,
    output:
        partitions=at("synthetic", "{variant}", "partitions", "{batch}.safetensors"),
    params:
        sampling=SAMPLING,
        variant=variant_of,
        domains=DOMAINS,
        modalities=config["cohort"]["modalities"],
        base=BASE,
        device=config["device"],
        seed=config["seed"],
        code=code("synthesize_partitions"),
    log:
        at("logs", "synthesize_partitions", "{variant}", "{batch}.log"),
    benchmark:
        at("benchmarks", "synthesize_partitions", "{variant}", "{batch}.tsv")
    wildcard_constraints:
        variant=one_of(INDEPENDENT),
    conda:
        "../envs/diffusion.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(6000),
        runtime=growing(240),
    script:
        "../workflow_scripts/synthesize_partitions.py"


rule merge_partitions:
    """Blend the partitions of each slice across the borders of its domains."""
    input:
        layouts=at("layouts", "{batch}.safetensors"),
        partitions=at("synthetic", "{variant}", "partitions", "{batch}.safetensors"),
    output:
        merged=at("synthetic", "{variant}", "merged", "{batch}.safetensors"),
    params:
        feather=config["synthesis"]["feather"],
        pixel_size=config["cohort"]["pixel_size"],
        code=code("merge_partitions"),
    log:
        at("logs", "merge_partitions", "{variant}", "{batch}.log"),
    benchmark:
        at("benchmarks", "merge_partitions", "{variant}", "{batch}.tsv")
    wildcard_constraints:
        variant=one_of(INDEPENDENT),
    conda:
        "../envs/diffusion.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(15),
    script:
        "../workflow_scripts/merge_partitions.py"


rule denoise_slices:
    """Noise merged slices a little and denoise them whole."""
    input:
        layouts=at("layouts", "{batch}.safetensors"),
        table=at("layouts", "{batch}.parquet"),
        merged=at("synthetic", "{variant}", "merged", "{batch}.safetensors"),
        embeddings=at("prompts", "embeddings.safetensors"),
        prompts=at("prompts", "embeddings.parquet"),
        adapter=at("experts", "whole", "adapter_model.safetensors"),
        adapter_config=at("experts", "whole", "adapter_config.json"),
        base=base_files,
        adapted=adapted_files,
    output:
        slices=at("synthetic", "{variant}", "slices", "{batch}.safetensors"),
    params:
        sampling=SAMPLING,
        strength=config["synthesis"]["merge_strength"],
        domains=DOMAINS,
        modalities=config["cohort"]["modalities"],
        base=BASE,
        device=config["device"],
        seed=config["seed"],
        code=code("denoise_slices"),
    log:
        at("logs", "denoise_slices", "{variant}", "{batch}.log"),
    benchmark:
        at("benchmarks", "denoise_slices", "{variant}", "{batch}.tsv")
    wildcard_constraints:
        variant=one_of(INDEPENDENT),
    conda:
        "../envs/diffusion.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(6000),
        runtime=growing(120),
    script:
        "../workflow_scripts/denoise_slices.py"


rule synthesize_slices:
    """Let the expert for whole slices draw a batch: the baseline without partitions."""
    input:
        layouts=at("layouts", "{batch}.safetensors"),
        table=at("layouts", "{batch}.parquet"),
        embeddings=at("prompts", "embeddings.safetensors"),
        prompts=at("prompts", "embeddings.parquet"),
        adapter=at("experts", "whole", "adapter_model.safetensors"),
        adapter_config=at("experts", "whole", "adapter_config.json"),
        base=base_files,
        adapted=adapted_files,
    output:
        slices=at("synthetic", "{variant}", "slices", "{batch}.safetensors"),
    params:
        sampling=SAMPLING,
        variant=variant_of,
        domains=DOMAINS,
        modalities=config["cohort"]["modalities"],
        base=BASE,
        device=config["device"],
        seed=config["seed"],
        code=code("synthesize_slices"),
    log:
        at("logs", "synthesize_slices", "{variant}", "{batch}.log"),
    benchmark:
        at("benchmarks", "synthesize_slices", "{variant}", "{batch}.tsv")
    wildcard_constraints:
        variant=one_of(SINGLE),
    conda:
        "../envs/diffusion.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(6000),
        runtime=growing(120),
    script:
        "../workflow_scripts/synthesize_slices.py"


rule synthesize_jointly:
    """Let all experts denoise one latent a slice together, so that nothing has to be merged."""
    input:
        layouts=at("layouts", "{batch}.safetensors"),
        table=at("layouts", "{batch}.parquet"),
        embeddings=at("prompts", "embeddings.safetensors"),
        prompts=at("prompts", "embeddings.parquet"),
        adapters=expand(at("experts", "{domain}", "adapter_model.safetensors"), domain=EXPERTS),
        adapter_configs=expand(at("experts", "{domain}", "adapter_config.json"), domain=EXPERTS),
        base=base_files,
        adapted=adapted_files,
    output:
        slices=at("synthetic", "{variant}", "slices", "{batch}.safetensors"),
    params:
        sampling=SAMPLING,
        variant=variant_of,
        feather=config["synthesis"]["feather"],
        pixel_size=config["cohort"]["pixel_size"],
        domains=DOMAINS,
        modalities=config["cohort"]["modalities"],
        base=BASE,
        device=config["device"],
        seed=config["seed"],
        code=code("synthesize_jointly"),
    log:
        at("logs", "synthesize_jointly", "{variant}", "{batch}.log"),
    benchmark:
        at("benchmarks", "synthesize_jointly", "{variant}", "{batch}.tsv")
    wildcard_constraints:
        variant=one_of(JOINT),
    conda:
        "../envs/diffusion.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(12000),
        runtime=growing(240),
    script:
        "../workflow_scripts/synthesize_jointly.py"

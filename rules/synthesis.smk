"""Synthesis: from layouts to slices by each scheme."""


# Renderings are kept: a change of `feather` or `merge_strength` then merges again and samples nothing anew.
rule render_domains:
    """Let each domain's expert draw the slices of a batch on its own."""
    input:
        **EMBEDDINGS,
        **BASE_FILES,
        **LAYOUTS_OF_BATCH,
        adapters=expand(at("experts", "{domain}", "adapter_model.safetensors"), domain=DOMAINS),
        adapter_configs=expand(at("experts", "{domain}", "adapter_config.json"), domain=DOMAINS),
    output:
        renderings=at("synthetic", "{variant}", "renderings", "{batch}.safetensors"),
    params:
        **SAMPLING,
        variant=variant_of,
    log:
        at("logs", "render_domains", "{variant}", "{batch}.log"),
    benchmark:
        at("benchmarks", "render_domains", "{variant}", "{batch}.tsv")
    wildcard_constraints:
        variant=one_of(INDEPENDENT),
    conda:
        "../envs/diffusion.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(10000),  # the base's U-Net stays beside the expert's copy, 3.4 GB each for Stable Diffusion
        runtime=growing(240),
    script:
        "../workflow_scripts/render_domains.py"


rule merge_renderings:
    """Blend the renderings of each slice across the borders of its domains."""
    input:
        **LAYOUTS_OF_BATCH,
        renderings=at("synthetic", "{variant}", "renderings", "{batch}.safetensors"),
    output:
        merged=at("synthetic", "{variant}", "merged", "{batch}.safetensors"),
    params:
        feather=config["synthesis"]["feather"],
    log:
        at("logs", "merge_renderings", "{variant}", "{batch}.log"),
    benchmark:
        at("benchmarks", "merge_renderings", "{variant}", "{batch}.tsv")
    wildcard_constraints:
        variant=one_of(INDEPENDENT),
    conda:
        "../envs/diffusion.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(15),
    script:
        "../workflow_scripts/merge_renderings.py"


rule denoise_slices:
    """Noise merged slices a little and denoise them whole."""
    input:
        **WHOLE_EXPERT,
        **EMBEDDINGS,
        **BASE_FILES,
        **LAYOUTS_OF_BATCH,
        merged=at("synthetic", "{variant}", "merged", "{batch}.safetensors"),
    output:
        slices=at("synthetic", "{variant}", "slices", "{batch}.safetensors"),
    params:
        **SAMPLING,
        strength=config["synthesis"]["merge_strength"],
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
        mem_mb=growing(10000),
        runtime=growing(120),
    script:
        "../workflow_scripts/denoise_slices.py"


rule synthesize_slices:
    """Let the expert for whole slices draw a batch: the baseline, with a single model."""
    input:
        **WHOLE_EXPERT,
        **EMBEDDINGS,
        **BASE_FILES,
        **LAYOUTS_OF_BATCH,
    output:
        slices=at("synthetic", "{variant}", "slices", "{batch}.safetensors"),
    params:
        **SAMPLING,
        variant=variant_of,
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
        mem_mb=growing(10000),
        runtime=growing(120),
    script:
        "../workflow_scripts/synthesize_slices.py"


rule synthesize_jointly:
    """Let all experts denoise one latent a slice together, so that nothing has to be merged."""
    input:
        **EMBEDDINGS,
        **BASE_FILES,
        **LAYOUTS_OF_BATCH,
        adapters=expand(at("experts", "{domain}", "adapter_model.safetensors"), domain=EXPERTS),
        adapter_configs=expand(at("experts", "{domain}", "adapter_config.json"), domain=EXPERTS),
    output:
        slices=at("synthetic", "{variant}", "slices", "{batch}.safetensors"),
    params:
        **SAMPLING,
        variant=variant_of,
        feather=config["synthesis"]["feather"],
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
        mem_mb=growing(16000),  # the base's U-Net stays beside the experts' copies, 3.4 GB each for Stable Diffusion
        runtime=growing(240),
    script:
        "../workflow_scripts/synthesize_jointly.py"

"""Export: one variant as a data set that people can train on."""


rule export_dataset:
    """Write the synthetic slices and their label maps in nnU-Net's raw layout."""
    input:
        slices=expand(
            at(
                "synthetic",
                config["export"]["variant"],
                "slices",
                "{batch}.safetensors",
            ),
            batch=BATCHES,
        ),
        layouts=expand(at("layouts", "{batch}.safetensors"), batch=BATCHES),
        tables=expand(at("layouts", "{batch}.parquet"), batch=BATCHES),
    output:
        dataset=directory(at("dataset")),
    params:
        variant=config["export"]["variant"],
        modalities=config["cohort"]["modalities"],
        label_scheme=config["cohort"]["label_scheme"],
        pixel_size=config["cohort"]["pixel_size"],
        slice_spacing=config["cohort"]["slice_spacing"],
        code=code("export_dataset"),
    log:
        at("logs", "export_dataset.log"),
    benchmark:
        at("benchmarks", "export_dataset.tsv")
    conda:
        "../envs/diffusion.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    script:
        "../workflow_scripts/export_dataset.py"

"""Cohort: simulate patients (phantom only), check every file, split by patient, and cut the slices."""

from mosaicmr.sources.subjects import phantom_files

EXTRACTION = {
    key: config["cohort"][key]
    for key in (
        "min_tumour_area",
        "slice_size",
        "pixel_size",
        "slice_spacing",
        "max_slices_per_subject",
        "intensity_percentiles",
    )
}
# Rules that read scans need these; the arrays that they cut carry modalities and classes in their header.
SCANS = dict(
    modalities=config["cohort"]["modalities"],
    label_scheme=LABELS.name,
    classes=[in_order(each) for each in LABELS.records()],
)


if config["cohort"]["source"] == "phantom":

    rule build_phantom:
        """Simulate a patient with a glioma, and write it in the naming of BraTS 2021."""
        output:
            **{name: str(file) for name, file in phantom_files(at("phantom"), "{patient}").items()},
        params:
            voxel_size=config["phantom"]["voxel_size"],
            tumour_grid=config["phantom"]["tumour_grid"],
            seed=config["seed"],
        log:
            at("logs", "build_phantom", "{patient}.log"),
        benchmark:
            at("benchmarks", "build_phantom", "{patient}.tsv")
        conda:
            "../envs/imaging.yaml"
        threads: 1
        resources:
            mem_mb=growing(3000),
            runtime=growing(15),
        script:
            "../workflow_scripts/build_phantom.py"


rule check_cohort:
    """Read every file of a shard's subjects, refuse what is damaged, and measure the tumours."""
    input:
        shard_files,
    output:
        at("cohort", "checked", "{shard}.parquet"),
    params:
        **SCANS,
        subjects=shard_records,
    log:
        at("logs", "check_cohort", "{shard}.log"),
    benchmark:
        at("benchmarks", "check_cohort", "{shard}.tsv")
    conda:
        "../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    script:
        "../workflow_scripts/check_cohort.py"


rule split_cohort:
    """Divide the patients into training, validation and test, balanced in tumours."""
    input:
        expand(at("cohort", "checked", "{shard}.parquet"), shard=SHARDS),
    output:
        at("cohort", "subjects.parquet"),
    params:
        fractions=config["cohort"]["split"],
        seed=config["seed"],
    log:
        at("logs", "split_cohort.log"),
    benchmark:
        at("benchmarks", "split_cohort.tsv")
    conda:
        "../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(15),
    script:
        "../workflow_scripts/split_cohort.py"


rule extract_slices:
    """Cut the normalised axial slices of a shard's subjects."""
    input:
        files=shard_files,
        checked=at("cohort", "checked", "{shard}.parquet"),
    output:
        slices=at("slices", "{shard}.safetensors"),
        table=at("slices", "{shard}.parquet"),
    params:
        **SCANS,
        subjects=shard_records,
        settings=EXTRACTION,
    log:
        at("logs", "extract_slices", "{shard}.log"),
    benchmark:
        at("benchmarks", "extract_slices", "{shard}.tsv")
    conda:
        "../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(6000),
        runtime=growing(20),
    script:
        "../workflow_scripts/extract_slices.py"

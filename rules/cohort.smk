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
COHORT_FIGURES = shards("figures", "cohort", "{shard}.png")
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


rule check_subjects:
    """Read every file of a shard's subjects, say all that is wrong with them, and measure the tumours."""
    input:
        shard_files,
    output:
        table=at("cohort", "checked", "{shard}.parquet"),
        findings=at("cohort", "checked", "{shard}_findings.parquet"),
        pictures=at("cohort", "checked", "{shard}.safetensors"),
    params:
        **SCANS,
        subjects=shard_records,
    log:
        at("logs", "check_subjects", "{shard}.log"),
    benchmark:
        at("benchmarks", "check_subjects", "{shard}.tsv")
    conda:
        "../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    script:
        "../workflow_scripts/check_subjects.py"


rule judge_cohort:
    """Report on the whole cohort: every scan with its verdict, and all findings with their remedies."""
    input:
        tables=shards("cohort", "checked", "{shard}.parquet"),
        findings=shards("cohort", "checked", "{shard}_findings.parquet"),
    output:
        table=at("cohort", "accepted.parquet"),
        verdicts=at("cohort", "verdicts.parquet"),
        scans=at("cohort", "scans.csv"),
        findings=at("cohort", "findings.csv"),
    params:
        subjects=[subject.record() for shard in SHARDS for subject in SUBJECTS[shard]],
        of_names=[finding.record() for finding in FOUND.findings],
        patients=FOUND.patients,
        left_out=FOUND.left_out,
    log:
        at("logs", "judge_cohort.log"),
    benchmark:
        at("benchmarks", "judge_cohort.tsv")
    conda:
        "../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(15),
    script:
        "../workflow_scripts/judge_cohort.py"


rule figure_cohort:
    """Show every subject of a shard with its mask and its brain."""
    input:
        table=at("cohort", "checked", "{shard}.parquet"),
        pictures=at("cohort", "checked", "{shard}.safetensors"),
        verdicts=at("cohort", "verdicts.parquet"),
    output:
        report(
            at("figures", "cohort", "{shard}.png"),
            category="Cohort",
            caption="../docs/captions/cohort.rst",
            labels={"shard": "{shard}"},
        ),
    params:
        words=LABELS.classes[0].words if len(LABELS.classes) == 1 else "tumour",
    log:
        at("logs", "figure_cohort", "{shard}.log"),
    benchmark:
        at("benchmarks", "figure_cohort", "{shard}.tsv")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    script:
        "../workflow_scripts/figure_cohort.py"


rule check_cohort:
    """Read every file of the cohort, and list and show all that was found, before anything else is computed."""
    input:
        at("cohort", "scans.csv"),
        at("cohort", "findings.csv"),
        COHORT_FIGURES,


rule split_cohort:
    """Divide the patients into training, validation and test, balanced in tumours."""
    input:
        table=at("cohort", "accepted.parquet"),
        verdicts=at("cohort", "verdicts.parquet"),
        findings=at("cohort", "findings.csv"),
    output:
        at("cohort", "subjects.parquet"),
    params:
        fractions=config["cohort"]["split"],
        incomplete=config["cohort"]["incomplete"],
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

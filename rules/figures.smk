"""Figures, tables and the report, as PDF for a paper and PNG for the eye."""

CAPTIONS = sorted(map(os.path.relpath, (CHECKOUT / "docs" / "captions").glob("*.rst")))  # beside the figures
FIGURES = [
    at("figures", "partition.png"),
    *expand(at("figures", "grid_{variant}.png"), variant=VARIANTS),
    at("figures", "prompts.png"),
    at("figures", "training.png"),
    at("figures", "radiomics.png"),
    at("figures", "prompt_accuracy.png"),
    at("figures", "segmentation.png"),
    at("tables", "metrics.png"),
]


rule figures:
    """Draw every figure and table that the report shows."""
    input:
        FIGURES,


rule figure_grid:
    """Show slices of training patients beside the synthetic ones of a variant."""
    input:
        slices=expand(at("slices", "{shard}.safetensors"), shard=SHARDS),
        slice_tables=expand(at("slices", "{shard}.parquet"), shard=SHARDS),
        layouts=expand(at("layouts", "{batch}.safetensors"), batch=BATCHES),
        layout_tables=expand(at("layouts", "{batch}.parquet"), batch=BATCHES),
        synthetic=expand(
            at("synthetic", "{{variant}}", "slices", "{batch}.safetensors"),
            batch=BATCHES,
        ),
    output:
        pdf=at("figures", "grid_{variant}.pdf"),
        png=report(
            at("figures", "grid_{variant}.png"),
            category="Slices",
            caption="../docs/captions/grid.rst",
            labels={"variant": "{variant}"},
        ),
    params:
        modalities=config["cohort"]["modalities"],
        source=config["cohort"]["source"],
        code=code("figure_grid"),
    log:
        at("logs", "figure_grid", "{variant}.log"),
    benchmark:
        at("benchmarks", "figure_grid", "{variant}.tsv")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(15),
    script:
        "../workflow_scripts/figure_grid.py"


rule figure_training:
    """Draw the training curve of every expert."""
    input:
        curves=expand(at("experts", "{domain}", "training.parquet"), domain=EXPERTS),
    output:
        pdf=at("figures", "training.pdf"),
        png=report(
            at("figures", "training.png"),
            category="Training",
            caption="../docs/captions/training.rst",
        ),
    params:
        experts=EXPERTS,
        code=code("figure_training"),
    log:
        at("logs", "figure_training.log"),
    benchmark:
        at("benchmarks", "figure_training.tsv")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    script:
        "../workflow_scripts/figure_training.py"


rule figure_radiomics:
    """Draw distributions of radiomic features, real beside each variant."""
    input:
        features=expand(
            at("evaluation", "radiomics", "features", "{subset}.parquet"),
            subset=["real", *VARIANTS],
        ),
    output:
        pdf=at("figures", "radiomics.pdf"),
        png=report(
            at("figures", "radiomics.png"),
            category="Evaluation",
            caption="../docs/captions/radiomics.rst",
        ),
    params:
        subsets=["real", *VARIANTS],
        domains=DOMAINS,
        modality=config["cohort"]["modalities"][0],
        code=code("figure_radiomics"),
    log:
        at("logs", "figure_radiomics.log"),
    benchmark:
        at("benchmarks", "figure_radiomics.tsv")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    script:
        "../workflow_scripts/figure_radiomics.py"


rule table_metrics:
    """Write the table of all metrics, with the floor and the published figures, as CSV, PDF and PNG."""
    input:
        summary=at("summary.json"),
        patients=expand(at("evaluation", "segmenter", "{arm}_patients.parquet"), arm=ARMS),
    output:
        csv=at("tables", "metrics.csv"),
        pdf=at("tables", "metrics.pdf"),
        png=report(
            at("tables", "metrics.png"),
            category="Evaluation",
            caption="../docs/captions/metrics.rst",
        ),
    params:
        arms=ARMS,
        seed=config["seed"],
        bootstrap=config["evaluation"]["bootstrap"],
        code=code("table_metrics"),
    log:
        at("logs", "table_metrics.log"),
    benchmark:
        at("benchmarks", "table_metrics.tsv")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    script:
        "../workflow_scripts/table_metrics.py"


rule figure_segmentation:
    """Draw what each arm's segmenter reaches on held-out patients."""
    input:
        metrics=expand(at("evaluation", "segmenter", "{arm}_metrics.parquet"), arm=ARMS),
        patients=expand(at("evaluation", "segmenter", "{arm}_patients.parquet"), arm=ARMS),
    output:
        pdf=at("figures", "segmentation.pdf"),
        png=report(
            at("figures", "segmentation.png"),
            category="Usefulness",
            caption="../docs/captions/segmentation.rst",
        ),
    params:
        arms=ARMS,
        code=code("figure_segmentation"),
    log:
        at("logs", "figure_segmentation.log"),
    benchmark:
        at("benchmarks", "figure_segmentation.tsv")
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    script:
        "../workflow_scripts/figure_segmentation.py"


rule write_report:
    """Put every figure with its caption into one HTML file, by Snakemake's own report of the target `figures`."""
    input:
        figures=FIGURES,
        captions=CAPTIONS,
    output:
        at("report.html"),
    params:
        code=code("write_report"),
    log:
        at("logs", "write_report.log"),
    benchmark:
        at("benchmarks", "write_report.tsv")
    # It reads Snakemake's own records, which lie where Snakemake was started.
    localrule: True
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(15),
    script:
        "../workflow_scripts/write_report.py"

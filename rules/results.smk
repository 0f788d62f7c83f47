"""Results to take away: the data set, figures of slices and features, the table of metrics, one HTML file of all."""

CAPTIONS = sorted(map(os.path.relpath, (CHECKOUT / "docs" / "captions").glob("*.rst")))  # beside the figures
# The experts that draw the exported variant.
EXPORTED_EXPERTS = [WHOLE] if config["export"]["variant"] in SINGLE else EXPERTS
FIGURES = [
    *COHORT_FIGURES,
    at("figures", "partition.png"),
    *expand(at("figures", "grid_{variant}.png"), variant=VARIANTS),
    at("figures", "prompts.png"),
    at("figures", "training.png"),
    at("figures", "radiomics.png"),
    at("figures", "prompt_accuracy.png"),
    at("figures", "segmentation.png"),
    at("tables", "metrics.png"),
]


rule export_dataset:
    """Write the synthetic slices and their label maps in nnU-Net's raw layout."""
    input:
        **LAYOUTS,
        slices=drawn(config["export"]["variant"]),
        subjects=at("cohort", "subjects.parquet"),
        real=SLICES["slices"] if config["export"]["real"] else [],
        real_tables=SLICES["slice_tables"] if config["export"]["real"] else [],
        like=[config["export"]["like"]] if config["export"]["like"] else [],
    output:
        dataset=directory(at("dataset")),
    params:
        variant=config["export"]["variant"],
        like=config["export"]["like"],
        slice_spacing=config["cohort"]["slice_spacing"],
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


rule export_bids:
    """Write the synthetic slices as a BIDS derivative."""
    input:
        **LAYOUTS,
        slices=drawn(config["export"]["variant"]),
        subjects=at("cohort", "subjects.parquet"),
        experts=expand(at("experts", "{domain}", "adapter_model.safetensors"), domain=EXPORTED_EXPERTS),
    output:
        dataset=directory(at("dataset_bids")),
    params:
        variant=config["export"]["variant"],
        settings=VARIANTS[config["export"]["variant"]],
        slice_spacing=config["cohort"]["slice_spacing"],
        seed=config["seed"],
    log:
        at("logs", "export_bids.log"),
    benchmark:
        at("benchmarks", "export_bids.tsv")
    conda:
        "../envs/diffusion.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    script:
        "../workflow_scripts/export_bids.py"


rule figures:
    """Draw every figure and table that the report shows."""
    input:
        FIGURES,


rule figure_grid:
    """Show slices of training patients beside synthetic slices of a variant."""
    input:
        **SLICES,
        **LAYOUTS,
        synthetic=drawn("{{variant}}"),
    output:
        pdf=at("figures", "grid_{variant}.pdf"),
        png=report(
            at("figures", "grid_{variant}.png"),
            category="Slices",
            caption="../docs/captions/grid.rst",
            labels={"variant": "{variant}"},
        ),
    params:
        source=config["cohort"]["source"],
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


rule figure_radiomics:
    """Draw distributions of radiomic features, real beside each variant."""
    input:
        **DOMAIN_MAPS,
        features=expand(at("evaluation", "radiomics", "features", "{subset}.parquet"), subset=["real", *VARIANTS]),
    output:
        pdf=at("figures", "radiomics.pdf"),
        png=report(at("figures", "radiomics.png"), category="Evaluation", caption="../docs/captions/radiomics.rst"),
    params:
        subsets=["real", *VARIANTS],
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
        png=report(at("tables", "metrics.png"), category="Evaluation", caption="../docs/captions/metrics.rst"),
    params:
        arms=ARMS,
        seed=config["seed"],
        bootstrap=config["evaluation"]["bootstrap"],
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


rule write_report:
    """Put every figure with its caption into one HTML file, by Snakemake's own report of the target `figures`."""
    input:
        figures=FIGURES,
        captions=CAPTIONS,
    output:
        at("report.html"),
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

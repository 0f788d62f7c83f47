"""The rules that read the output of each rule: the specification against which staleness is tested."""

REAL = {"extract_features", "measure_fidelity", "extract_radiomics", "measure_mask_fidelity"}
ON_VARIANTS = {*REAL, "measure_prompt_accuracy", "figure_grid"}
SYNTHETIC = {*ON_VARIANTS, "export_dataset", "train_segmenter"}
FIGURES = {
    "figure_cohort",
    "figure_partition",
    "figure_grid",
    "figure_training",
    "figure_radiomics",
    "figure_segmentation",
    "figure_prompts",
    "figure_prompt_accuracy",
    "table_metrics",
}
NETWORK_SAMPLING = {"render_domains", "denoise_slices", "synthesize_slices", "synthesize_prompt_sweep"}

TRAINING = {"adapt_base", "finetune_expert"}

READERS = {
    "build_phantom": {"check_subjects", "extract_slices"},
    "check_subjects": {"judge_cohort", "figure_cohort", "extract_slices"},
    "judge_cohort": {"split_cohort", "figure_cohort", "summarize_run"},
    "split_cohort": {
        "fit_domains",
        "figure_partition",
        "write_prompts",
        "draw_layouts",
        "encode_latents",
        "train_segmenter",
        "score_segmenter",
        "summarize_run",
        *REAL,
    },
    "extract_slices": {
        "tessellate_slices",
        "partition_slices",
        "figure_partition",
        "write_prompts",
        "draw_layouts",
        "encode_latents",
        *TRAINING,
        "train_segmenter",
        "score_segmenter",
        "summarize_run",
        "figure_grid",
        *REAL,
    },
    "tessellate_slices": {"fit_domains", "partition_slices", "figure_partition"},
    "fit_domains": {"partition_slices", "figure_partition", "write_prompts", "draw_layouts", *TRAINING},
    "partition_slices": {"figure_partition", "figure_radiomics", "draw_layouts", *TRAINING, *REAL}
    - {"measure_mask_fidelity"},
    "write_prompts": {
        "embed_training_prompts",
        *TRAINING,
        "draw_layouts",
        "synthesize_prompt_sweep",
        "measure_prompt_accuracy",
    },
    "embed_training_prompts": TRAINING,
    "encode_latents": TRAINING,
    "adapt_base": {"finetune_expert", *NETWORK_SAMPLING},
    "finetune_expert": {"figure_training", *NETWORK_SAMPLING},
    "draw_layouts": {
        "embed_prompts",
        "merge_renderings",
        "summarize_run",
        "figure_prompt_accuracy",
        *NETWORK_SAMPLING,
        *SYNTHETIC,
    },
    "embed_prompts": NETWORK_SAMPLING - {"synthesize_prompt_sweep"},
    "render_domains": {"merge_renderings"},
    "merge_renderings": {"denoise_slices"},
    "denoise_slices": SYNTHETIC,
    "synthesize_slices": ON_VARIANTS,
    "synthesize_prompt_sweep": {"figure_prompts"},
    "export_dataset": set(),
    "extract_features": {"measure_fidelity", "measure_memorisation"},
    "measure_fidelity": {"summarize_run"},
    "measure_memorisation": {"summarize_run"},
    "extract_radiomics": {"compare_radiomics", "figure_radiomics"},
    "compare_radiomics": {"summarize_run"},
    "train_segmenter": {"score_segmenter", "measure_mask_fidelity"},
    "score_segmenter": {"summarize_run", "table_metrics", "figure_segmentation"},
    "measure_mask_fidelity": {"summarize_run"},
    "measure_prompt_accuracy": {"summarize_run", "figure_prompt_accuracy"},
    "summarize_run": {"table_metrics"},
    **{figure: {"write_report"} for figure in FIGURES},
    "write_report": set(),
}
RULES = set(READERS)
# Rules that run the script of another.
TWINS = {"embed_training_prompts": "embed_prompts"}


def following(rules: set[str]) -> set[str]:
    """The names of `rules` and of all rules that read, directly or not, what they write."""
    found, waiting = set(), set(rules)
    while waiting:
        rule = waiting.pop()
        found.add(rule)
        waiting |= READERS[rule] - found
    return found

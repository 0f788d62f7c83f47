"""The rows of the mutation matrix: what is edited, and the rules that read it.

Those, and what follows from them, must run again; `data_flow.following` names the latter.
"""

import json
from typing import Any

import yaml

from tests.support.workflow import CHECKOUT
from tests.workflow.data_flow import NETWORK_SAMPLING, TRAINING

NETWORKS = {"encode_latents", "embed_prompts", "embed_training_prompts", *TRAINING, *NETWORK_SAMPLING}
SEEDED = {
    "build_phantom",
    "split_cohort",
    "tessellate_slices",
    "fit_domains",
    "draw_layouts",
    *TRAINING,
    *NETWORK_SAMPLING,
    "measure_fidelity",
    "extract_radiomics",
    "compare_radiomics",
    "measure_memorisation",
    "train_segmenter",
    "score_segmenter",
    "measure_mask_fidelity",
    "measure_prompt_accuracy",
    "table_metrics",
}
RESAMPLED = {
    "measure_fidelity",
    "compare_radiomics",
    "measure_memorisation",
    "score_segmenter",
    "measure_mask_fidelity",
    "measure_prompt_accuracy",
    "table_metrics",
}
SEGMENTED = {"train_segmenter", "score_segmenter", "measure_mask_fidelity"}

VARIANTS = yaml.safe_load((CHECKOUT / "config" / "config.yaml").read_text())["synthesis"]["variants"]


def with_variants(variants: dict[str, Any]) -> str:
    """The word for --config that makes these the variants."""
    return "synthesis=" + json.dumps({"variants": variants})


# Words for --config, and the rules that read the value: those, and what follows from them, run again.
KEYS = {
    "seed=2": SEEDED,
    # The last layout of a batch has this number and the first has 1: as a set of values, nothing has changed.
    "seed=6": SEEDED,
    "device=cpu": NETWORKS | SEGMENTED | {"extract_features"},
    "threads=2": set(),
    "cohort={max_shards: 1}": {"check_subjects", "judge_cohort", "extract_slices"},
    "cohort={subjects_per_shard: 2}": {"check_subjects", "judge_cohort", "extract_slices"},
    "cohort={modalities: [FLAIR, T1, T2]}": {"check_subjects", "judge_cohort", "extract_slices"},
    "cohort={incomplete: skip}": {"split_cohort"},
    "cohort={slice_size: 64}": {"extract_slices"},
    "cohort={pixel_size: 5}": {"extract_slices"},
    "cohort={min_tumour_area: 120}": {"extract_slices"},
    "cohort={slice_spacing: 12}": {"extract_slices", "export_dataset"},
    "export={real: true}": {"export_dataset"},
    "cohort={max_slices_per_subject: 2}": {"extract_slices"},
    "cohort={intensity_percentiles: [1, 99]}": {"extract_slices"},
    "cohort={split: {train: 0.6, val: 0.2, test: 0.2}}": {"split_cohort"},
    "phantom={voxel_size: 3}": {"build_phantom"},
    "phantom={tumour_grid: 6}": {"build_phantom"},
    "partition={cells: 50}": {"tessellate_slices"},
    "partition={iterations: 4}": {"tessellate_slices"},
    "partition={density_power: 0.5}": {"tessellate_slices"},
    "partition={grey_weight: 0.5}": {"tessellate_slices"},
    "partition={min_fragment_area: 36}": {"tessellate_slices"},
    "partition={reference_modality: FLAIR}": {"tessellate_slices", "fit_domains"},
    "base={precision: bf16}": {*TRAINING, *NETWORK_SAMPLING},
    "adaptation={steps: 5}": {"adapt_base"},
    "adaptation={batch_size: 3}": {"adapt_base"},
    "adaptation={learning_rate: 0.001}": {"adapt_base"},
    "adaptation={ema_decay: 0.9}": {"adapt_base"},
    "adaptation={prompt_dropout: 0.2}": {"adapt_base"},
    "adaptation={layout_dropout: 0.2}": {"adapt_base"},
    "adaptation={checkpoint_every: 1}": set(),
    # Switched off: the experts start from the base model itself.
    "adaptation={steps: 0}": {"finetune_expert", *NETWORK_SAMPLING},
    "experts={steps: 5}": {"finetune_expert"},
    "experts={rank: 3}": {"finetune_expert"},
    "experts={method: full}": {"finetune_expert"},
    "experts={batch_size: 3}": {"finetune_expert"},
    "experts={learning_rate: 0.001}": {"finetune_expert"},
    "experts={prompt_dropout: 0.2}": {"finetune_expert"},
    "experts={layout_dropout: 0.2}": {"finetune_expert"},
    "experts={context_weight: 0.2}": {"finetune_expert"},
    "experts={checkpoint_every: 1}": set(),
    "layouts={mirror: 0.25}": {"draw_layouts"},
    "layouts={transplant: 0.25}": {"draw_layouts"},
    "layouts={deformation: 1}": {"draw_layouts"},
    "layouts={slices: 5}": {"draw_layouts"},
    "layouts={slices_per_batch: 3}": {"draw_layouts"},
    "synthesis={steps: 3}": NETWORK_SAMPLING,
    "synthesis={guidance_scale: 3.0}": NETWORK_SAMPLING,
    "synthesis={share_noise: false}": NETWORK_SAMPLING,
    "synthesis={feather: 12}": {"merge_renderings"},
    "synthesis={merge_strength: 0.4}": {"denoise_slices"},
    with_variants(VARIANTS | {"single_from_source": VARIANTS["single_from_source"] | {"strength": 0.4}}): {
        "synthesize_slices"
    },
    "evaluation={bootstrap: 12}": RESAMPLED,
    "evaluation={kid_subset: 3}": {"measure_fidelity"},
    "evaluation={inception_weights: Snakefile}": {"extract_features"},
    "evaluation={radiomics: {bin_count: 16}}": {"extract_radiomics"},
    "evaluation={radiomics: {max_slices: 5}}": {"extract_radiomics"},
    "evaluation={radiomics: {features: [firstorder, glcm]}}": {"extract_radiomics"},
    "evaluation={segmenter: {steps: 5}}": {"train_segmenter"},
    "evaluation={segmenter: {batch_size: 3}}": {"train_segmenter"},
    "evaluation={segmenter: {learning_rate: 0.001}}": {"train_segmenter"},
    "evaluation={segmenter: {channels: [4, 4]}}": {"train_segmenter"},
    "evaluation={segmenter: {seeds: [1, 2]}}": {"train_segmenter"},
    "pretrain={autoencoder: {steps: 9}}": set(),
}

# A file, the words in it to replace, by what, and the rules that run the code (or read the file).
EDITS = {
    "a docstring of the training": ("mosaicmr/training/experts.py", '"""', '"""Indeed: ', set()),
    "a comment in the training": (
        "mosaicmr/training/finetuning.py",
        "import hashlib",
        "import hashlib  # digests",
        set(),
    ),
    "a comment in a training script": (
        "workflow_scripts/finetune_expert.py",
        "def main(",
        "# Called below.\ndef main(",
        set(),
    ),
    "a comment in a rule": ("rules/experts.smk", "    threads: 1  #", "    threads: 1  # Note:", set()),
    "a comment in an environment": ("envs/diffusion.yaml", "channels:", "# Where from.\nchannels:", set()),
    "memory and time of a rule": ("rules/experts.smk", "runtime=720", "runtime=721", set()),
    "the number of a release": ("mosaicmr/__init__.py", '__version__ = "', '__version__ = "9', set()),
    "the order of keys": (
        "config/tiny.yaml",
        "  rank: 2\n  steps: 4\n  batch_size: 2\n  checkpoint_every: 2\n",
        "  checkpoint_every: 2\n  batch_size: 2\n  steps: 4\n  rank: 2\n",
        set(),
    ),
    "a template of the prompts": (
        "mosaicmr/prompts/templates.py",
        "axial brain MRI",
        "axial MRI of the brain",
        {"write_prompts", "draw_layouts", *TRAINING},
    ),
    "a comment in the configuration": ("config/tiny.yaml", "run: tiny", "run: tiny  # its name", set()),
    "a caption": ("docs/captions/grid.rst", " ", "  ", {"write_report"}),
    "the schema's words": ("config/schema.yaml", "type: object", "description: all\ntype: object", set()),
}

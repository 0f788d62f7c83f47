"""Inputs that several rules share, each once, and those that depend on the wildcards of a job."""


def shards(*parts):
    """A path of every shard."""
    return expand(at(*parts), shard=SHARDS)


def batches(*parts):
    """A path of every batch of layouts."""
    return expand(at(*parts), batch=BATCHES)


def drawn(variant):
    """The slices that a variant drew, one file for each batch; within `expand`, a wildcard has double braces."""
    return batches("synthetic", variant, "slices", "{batch}.safetensors")


def measured(metric, name):
    """The tables of a metric, of the floor and of every variant."""
    return expand(at("evaluation", metric, name), subset=["floor", *VARIANTS])


# A file of slices or layouts is read together with the table beside it, so both are inputs.
SLICES = dict(slices=shards("slices", "{shard}.safetensors"), slice_tables=shards("slices", "{shard}.parquet"))
SLICES_OF_SHARD = dict(slices=at("slices", "{shard}.safetensors"), slice_table=at("slices", "{shard}.parquet"))
CELLS = dict(
    cells=shards("domains", "cells", "{shard}.safetensors"), cell_tables=shards("domains", "cells", "{shard}.parquet")
)
DOMAIN_MAPS = dict(domain_maps=shards("domains", "{shard}.safetensors"))
LAYOUTS = dict(layouts=batches("layouts", "{batch}.safetensors"), layout_tables=batches("layouts", "{batch}.parquet"))
LAYOUTS_OF_BATCH = dict(layouts=at("layouts", "{batch}.safetensors"), layout_table=at("layouts", "{batch}.parquet"))
EMBEDDINGS = dict(embeddings=at("prompts", "embeddings.safetensors"), prompts=at("prompts", "embeddings.parquet"))
BASE_FILES = dict(base=base_files, adapted=adapted_files)
WHOLE_EXPERT = dict(
    adapter=at("experts", WHOLE, "adapter_model.safetensors"),
    adapter_config=at("experts", WHOLE, "adapter_config.json"),
)
TRAINING_SET = dict(
    latents=shards("latents", "{shard}.safetensors"),
    domain_maps=shards("domains", "{shard}.safetensors"),
    tables=shards("slices", "{shard}.parquet"),
    domains=at("domains", "domains.json"),
    prompts=at("prompts", "training.parquet"),
    embeddings=at("prompts", "training_embeddings.safetensors"),
    embedding_table=at("prompts", "training_embeddings.parquet"),
    base=base_files,
)

# Parameters of every sampling stage; the other keys of `synthesis` make no sampling stale.
SAMPLING = dict(
    sampling={key: config["synthesis"][key] for key in ["steps", "guidance_scale", "share_noise"]},
    base=BASE,
    device=config["device"],
    seed=config["seed"],
)


def first_layout(wildcards):
    """The number of a batch's first layout, from 1."""
    return BATCHES.index(wildcards.batch) * config["layouts"]["slices_per_batch"] + 1


def last_layout(wildcards):
    """The number of a batch's last layout: the last batch may be short."""
    full = first_layout(wildcards) + config["layouts"]["slices_per_batch"] - 1
    return min(full, config["layouts"]["slices"])


def variant_of(wildcards):
    """The scheme, start and strength of a variant."""
    return VARIANTS[wildcards.variant]


def labelled_files(wildcards):
    """Files of the slices of a subset, with labels and tables; for a variant, `more` has the images that it drew."""
    if wildcards.subset in VARIANTS:
        layouts = dict(slices=LAYOUTS["layouts"], tables=LAYOUTS["layout_tables"])
        return layouts | {"more": drawn(wildcards.subset)}
    return SLICES | {"subjects": at("cohort", "subjects.parquet")}


def subset_files(wildcards):
    """The same files with domain maps: layouts have their own, and for real slices `more` has them."""
    files = labelled_files(wildcards)
    return files if wildcards.subset in VARIANTS else files | {"more": DOMAIN_MAPS["domain_maps"]}


def synthetic_of_arm(wildcards):
    """The synthetic slices of the exported variant and their layouts, for an arm that trains on them."""
    files = dict(synthetic=drawn(config["export"]["variant"]), **LAYOUTS)
    return files if "synthetic" in wildcards.arm else {name: [] for name in files}


def subset_features(wildcards):
    """The features of the real slices and, for a variant, of its own slices."""
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

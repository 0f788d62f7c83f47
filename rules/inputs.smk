"""Input files and parameters that depend on a job's wildcards, one function each, in the order of the data flow."""


def first_layout(wildcards):
    """The number of a batch's first layout, from 1."""
    return BATCHES.index(wildcards.batch) * config["layouts"]["slices_per_batch"] + 1


def last_layout(wildcards):
    """The number of a batch's last layout: the last batch may be short."""
    full = first_layout(wildcards) + config["layouts"]["slices_per_batch"] - 1
    return min(full, config["layouts"]["slices"])


def prompt_tables(wildcards):
    """The tables whose prompts an embedding file holds: of the layouts, or of the training slices."""
    if wildcards.prompts == "training_embeddings":
        return [at("prompts", "training.parquet")]
    return expand(at("layouts", "{batch}.parquet"), batch=BATCHES)


def variant_of(wildcards):
    """The scheme, start and strength of a variant."""
    return VARIANTS[wildcards.variant]


def subset_files(wildcards):
    """The slices of a subset, their tables and domain maps; for `real`, also the split of the cohort."""
    if wildcards.subset in VARIANTS:
        return {
            "slices": expand(at("synthetic", wildcards.subset, "slices", "{batch}.safetensors"), batch=BATCHES),
            "tables": expand(at("layouts", "{batch}.parquet"), batch=BATCHES),
            "domains": expand(at("layouts", "{batch}.safetensors"), batch=BATCHES),
        }
    return {
        "slices": expand(at("slices", "{shard}.safetensors"), shard=SHARDS),
        "tables": expand(at("slices", "{shard}.parquet"), shard=SHARDS),
        "domains": expand(at("domains", "{shard}.safetensors"), shard=SHARDS),
        "subjects": at("cohort", "subjects.parquet"),
    }


def subset_features(wildcards):
    """The features of the real slices and, for a variant, of its own."""
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

"""Check a run's configuration against its schema, with errors that a user can read."""

import contextlib
import copy
import difflib
import functools
import json
import math
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError, validators

from mosaicmr.errors import InputError

_TYPE_WORDS = {
    "object": "a group of keys",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
# Python counts true as 1, and JSON Schema 4.0 as an integer and infinity as a number; none of them is meant here.
_CHECKER = Draft202012Validator.TYPE_CHECKER.redefine_many(
    {
        "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
        "number": lambda _, value: (
            isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        ),
    }
)
SOURCES = ("brats", "nnunet", "bids", "table")  # of cohorts with a folder


def _check_pattern(validator: Any, pattern: str, instance: Any, _: Any) -> Iterator[ValidationError]:
    # Python's $ matches before a line break at the end, too; no pattern of ours means to allow one.
    if isinstance(instance, str) and ("\n" in instance or not re.search(pattern, instance)):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator = validators.extend(Draft202012Validator, {"pattern": _check_pattern}, type_checker=_CHECKER)


def load_schema(path: str | Path) -> dict[str, Any]:
    """Read a JSON Schema written as YAML."""
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def replace_groups(config: dict[str, Any], sources: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> None:
    """Set each group whose keys are the user's own names, in place, to the value in the last source that has it.

    Snakemake merges groups, so that no source could leave out a variant of the default. In the schema, such a group has
    an `additionalProperties` that is itself a schema.

    config: merged by Snakemake from the default and the sources. sources: the configuration files of a call in their
    order, then the command line; where none has such a group, that of the default stays.
    """
    for *groups, name in _groups_of_own_names(schema):
        merged = _group_at(config, groups)
        for source in sources:
            group = _group_at(source, groups)
            if name in group:
                merged[name] = copy.deepcopy(group[name])


def _groups_of_own_names(schema: Mapping[str, Any], *path: str) -> Iterator[tuple[str, ...]]:
    """The paths of the groups whose keys are the user's own names."""
    for name, group in schema.get("properties", {}).items():
        if isinstance(group.get("additionalProperties"), Mapping):
            yield (*path, name)
        else:
            yield from _groups_of_own_names(group, *path, name)


def _group_at(config: Any, path: Sequence[str]) -> Any:
    """The group at a path of keys; empty where the configuration has no group there."""
    for name in path:
        config = config.get(name) if isinstance(config, Mapping) else None
    return config if isinstance(config, Mapping) else {}


def read_texts(config: dict[str, Any], schema: Mapping[str, Any]) -> None:
    """Turn texts into the numbers, truth values and nulls they spell, in place, where the schema wants no text.

    Snakemake takes every value inside a group given on the command line as text: `--config 'experts={rank: 16}'`.
    """
    for error in list(_Validator(schema).iter_errors(config)):
        if error.validator not in ("type", "enum") or not isinstance(error.instance, str):
            continue
        with contextlib.suppress(yaml.YAMLError):
            value = yaml.safe_load(error.instance)
            if value is None or isinstance(value, bool | int | float):
                *groups, key = error.absolute_path
                functools.reduce(operator.getitem, groups, config)[key] = value


def check_config(config: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Raise InputError on the first key of `config` that the schema or a rule between keys refuses.

    Unknown keys are refused everywhere. The message is one sentence with the key, the value and the remedy. For an old
    key, it has the new name, which the schema gives under `renamed`.
    """
    errors = sorted(_Validator(schema).iter_errors(config), key=lambda error: (len(error.absolute_path), error.message))
    if errors:
        raise InputError(_sentence(errors[0]))
    for problem in _problems_between_keys(config):
        raise InputError(problem)


def _sentence(error: ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties":
        return _unknown_key(error, where)
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"The configuration lacks the key '{_join(where, missing)}': add it, as in config/config.yaml."
    if "propertyNames" in error.schema_path:
        return f"The name '{_join(where, error.instance)}' cannot be used: expected {error.schema['description']}."
    found = json.dumps(error.instance, ensure_ascii=False, default=str)
    return f"The configuration key '{where}' is {found}: expected {_expected(error)}; correct it{_hint(error)}."


def _unknown_key(error: ValidationError, where: str) -> str:
    known = sorted(error.schema["properties"])
    unknown = sorted(str(key) for key in error.instance if key not in known)[0]
    renamed = error.schema.get("renamed", {})
    if unknown in renamed:
        old, new = _join(where, unknown), _join(where, renamed[unknown])
        return f"The configuration key '{old}' is now called '{new}': rename it."
    close = difflib.get_close_matches(unknown, known, n=1)
    remedy = f"did you mean '{_join(where, close[0])}'" if close else f"known are {', '.join(known)}; remove it"
    return f"The configuration key '{_join(where, unknown)}' is unknown: {remedy}{'?' if close else '.'}"


def _expected(error: ValidationError) -> str:
    """The value that the schema wants, in words."""
    schema = error.schema
    if "description" in schema:
        return schema["description"]
    if "enum" in schema:
        return "one of " + ", ".join("null" if value is None else str(value) for value in schema["enum"])
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(_TYPE_WORDS[name] for name in types) + _bounds(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    words = {
        "minimum": "of at least",
        "exclusiveMinimum": "above",
        "maximum": "of at most",
        "multipleOf": "divisible by",
    }
    bounds = [f"{phrase} {schema[name]}" for name, phrase in words.items() if name in schema]
    return " " + " and ".join(bounds) if bounds else ""


def _hint(error: ValidationError) -> str:
    """YAML's two traps: 1e-4 is text to it, and a name such as 1.5 a number."""
    if error.validator != "type":
        return ""
    if isinstance(error.instance, str) and error.validator_value in ("integer", "number"):
        with contextlib.suppress(ArithmeticError):
            return f" (YAML reads it as text: write {Decimal(error.instance):f})"
        return ""
    wants_text = "string" in error.validator_value
    return " (put it in quotes)" if wants_text and isinstance(error.instance, int | float) else ""


def _join(*parts: Any) -> str:
    return ".".join(str(part) for part in parts if part != "")


def _problems_between_keys(config: Mapping[str, Any]) -> Iterator[str]:
    """Sentences on keys that do not fit one another, which no schema can say."""
    yield from _cohort_problems(config)
    yield from _partition_problems(config)
    yield from _pretraining_problems(config)
    yield from _synthesis_problems(config)
    yield from _evaluation_problems(config)


def _cohort_problems(config: Mapping[str, Any]) -> Iterator[str]:
    cohort = config["cohort"]
    total = sum(cohort["split"].values())
    if abs(total - 1) > 1e-6:
        yield f"The shares in 'cohort.split' add up to {total:g}: expected 1; change train, val or test."
    low, high = cohort["intensity_percentiles"]
    if low >= high:
        yield f"The key 'cohort.intensity_percentiles' is [{low:g}, {high:g}]: expected the lower one first; swap them."
    if cohort["source"] != "phantom" and config["cohort_dir"] is None:
        yield (
            f"The key 'cohort_dir' is null: a cohort with source {cohort['source']} needs its folder; add --config "
            "cohort_dir=DIR."
        )
    for key, sources in (("masks", ["bids"]), ("patients", SOURCES), ("channels", SOURCES)):
        if cohort[key] and cohort["source"] not in sources:
            yield (
                f"The key 'cohort.{key}' is {json.dumps(cohort[key], ensure_ascii=False)}, but cohort.source "
                f"{cohort['source']} does not read it: expected source {' or '.join(sources)}, or leave the key out."
            )
    if cohort["source"] == "phantom" and config["cohort_dir"] is not None:
        yield (
            f"The key 'cohort_dir' is '{config['cohort_dir']}', but cohort.source is phantom, which reads no folder: "
            "add --configfile config/brats.yaml, or leave cohort_dir out."
        )
    if cohort["label_scheme"] == "dataset" and cohort["source"] != "nnunet":
        yield (
            f"The key 'cohort.label_scheme' is 'dataset', but cohort.source {cohort['source']} has no dataset.json: "
            "choose the scheme of the labels, or custom with cohort.classes."
        )
    if (cohort["label_scheme"] == "custom") != (cohort["classes"] is not None):
        yield (
            f"The key 'cohort.label_scheme' is '{cohort['label_scheme']}', but cohort.classes "
            f"{'is null' if cohort['classes'] is None else 'has classes'}: the scheme custom, and no other, takes its "
            "classes from there; set both, or neither."
        )
    if cohort["source"] == "phantom" and cohort["label_scheme"] != "brats2021":
        yield (
            f"The key 'cohort.label_scheme' is '{cohort['label_scheme']}', but the phantom is labelled as brats2021: "
            "choose that."
        )


def _partition_problems(config: Mapping[str, Any]) -> Iterator[str]:
    reference = config["partition"]["reference_modality"]
    modalities = config["cohort"]["modalities"]
    if reference is not None and reference not in modalities:
        yield (
            f"The key 'partition.reference_modality' is {reference}, which cohort.modalities ({', '.join(modalities)}) "
            "lacks: choose one of those, or null."
        )


def _pretraining_problems(config: Mapping[str, Any]) -> Iterator[str]:
    banks = config["pretrain"]["banks"]
    for training in ("autoencoder", "unet", "refinement"):
        if not any(training in bank["trains"] for bank in banks.values()):
            yield f"No bank of 'pretrain.banks' trains the {training}: add {training} to the key 'trains' of one."
    sizes = {bank["size"] for bank in banks.values() if "autoencoder" in bank["trains"]}
    if len(sizes) > 1:
        yield (
            f"The banks of 'pretrain.banks' for the autoencoder have sizes {', '.join(map(str, sorted(sizes)))}: "
            "expected one size; take autoencoder out of the key 'trains' of the others."
        )
    if config["pretrain"]["refinement"]["free_looks"] and not any(
        bank["source"] == "patients" and "refinement" in bank["trains"] for bank in banks.values()
    ):
        yield (
            "The key 'pretrain.refinement.free_looks' is above 0, but no bank of source patients trains the "
            "refinement: set it to 0, or add refinement to the key 'trains' of one."
        )


def _synthesis_problems(config: Mapping[str, Any]) -> Iterator[str]:
    variants = config["synthesis"]["variants"]
    for name, variant in variants.items():
        if variant["start"] == "source" and "strength" not in variant:
            yield f"The variant 'synthesis.variants.{name}' starts from a source slice: add its strength, up to 1."
        if variant["start"] == "noise" and "strength" in variant:
            yield f"The variant 'synthesis.variants.{name}' starts from noise and so has no strength: remove that key."
    like = config["export"]["like"]
    if like is not None and not Path(like).is_file():
        yield f"The key 'export.like' is '{like}': there is no such file; correct it, or say null."
    exported = config["export"]["variant"]
    if exported not in variants:
        yield f"The key 'export.variant' is '{exported}': expected one of synthesis.variants ({', '.join(variants)})."


def _evaluation_problems(config: Mapping[str, Any]) -> Iterator[str]:
    size, levels = config["cohort"]["slice_size"], len(config["evaluation"]["segmenter"]["channels"])
    smallest = 2 ** (levels - 1)
    if size % smallest or size // smallest < 2:
        yield (
            f"The key 'evaluation.segmenter.channels' has {levels} levels, but {size} pixels cannot be halved "
            f"{levels - 1} times and stay 2 pixels wide: give fewer levels, or another cohort.slice_size."
        )
    weights = config["evaluation"]["inception_weights"]
    if weights is not None and not Path(weights).is_file():
        yield f"The key 'evaluation.inception_weights' is '{weights}': there is no such file; correct it, or say null."

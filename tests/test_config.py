"""A configuration is either what the schema says, or refused in one sentence that names the key and the remedy."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from mosaicmr.config import check_config, load_schema, read_texts, replace_groups
from mosaicmr.errors import InputError

CONFIG = Path(__file__).resolve().parent.parent / "config"
SHIPPED = ("brats", "paper", "tiny")

# Settings that would leave the refinement without slices, and without those of patients.
UNREFINED = {f"pretrain.banks.{name}.trains": ["unet"] for name in ("slices", "slices_1mm", "volumes", "volumes_1mm")}
PATIENTLESS = {key: value for key, value in UNREFINED.items() if "volumes" in key}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return load_schema(CONFIG / "schema.yaml")


@pytest.fixture
def config() -> dict[str, Any]:
    return read("config")


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((CONFIG / f"{name}.yaml").read_text())


def merge(config: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """A configuration with changes: groups merge, everything else is replaced, as Snakemake does it."""
    merged = copy.deepcopy(config)
    for key, value in overrides.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if nested else value
    return merged


def change(config: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return merge(config, value)


def refusal(config: dict[str, Any], schema: dict[str, Any]) -> str:
    with pytest.raises(InputError) as caught:
        check_config(config, schema)
    message = str(caught.value)
    assert "\n" not in message
    assert message[-1] in ".?"
    return message


def groups(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """All sub-schemas that describe a group of keys."""
    if isinstance(schema, list):
        return [group for item in schema for group in groups(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" else []
    return own + [group for value in schema.values() for group in groups(value)]


def test_the_embedded_default_is_valid_and_complete(config, schema):
    check_config(config, schema)
    assert list(config) == schema["required"]


@pytest.mark.parametrize("name", SHIPPED)
def test_each_shipped_configuration_is_valid_over_the_default(name, config, schema):
    merged = merge(config, read(name))
    if merged["cohort"]["source"] == "brats":
        merged["cohort_dir"] = "cohort"
    check_config(merged, schema)
    assert merged["run"] == name


def test_no_group_lets_unknown_keys_pass_and_each_key_has_a_default(schema):
    for group in groups(schema):
        assert "additionalProperties" in group
        if "properties" in group and "strength" not in group["properties"]:
            assert set(group["required"]) == set(group["properties"])


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("experts.rnak", 4, ["experts.rnak", "unknown", "experts.rank"]),
        ("x", 4, ["x", "unknown", "known are"]),
        ("synthesis.variants.single.scale", 2, ["synthesis.variants.single.scale", "unknown"]),
        ("experts.rank", "four", ["experts.rank", '"four"', "a whole number"]),
        ("experts.rank", 4.0, ["experts.rank", "a whole number"]),
        ("experts.rank", True, ["experts.rank", "a whole number"]),
        ("experts.learning_rate", "1e-4", ["experts.learning_rate", "0.0001"]),
        ("experts.learning_rate", "1e-7", ["experts.learning_rate", "0.0000001"]),
        ("experts.learning_rate", float("inf"), ["experts.learning_rate", "a number"]),
        ("synthesis.feather", float("nan"), ["synthesis.feather", "a number"]),
        ("experts.steps", 0, ["experts.steps", "of at least 1"]),
        ("experts", 3, ["experts", "a group of keys"]),
        ("cohort.slice_size", 130, ["cohort.slice_size", "divisible by 16"]),
        ("cohort.modalities", ["T1", "T7"], ["cohort.modalities.1", "T7", "FLAIR"]),
        ("cohort.modalities", ["T1", "T1"], ["cohort.modalities", "at most once"]),
        ("cohort.modalities", [], ["cohort.modalities", "one or more"]),
        ("run", "../elsewhere", ["run", "letters"]),
        ("run", "..", ["run", "letters"]),
        ("run", "demo\n", ["run", "letters"]),
        ("run", 2021, ["run", "quotes"]),
        ("synthesis.variants.floor", {"scheme": "single", "start": "noise"}, ["synthesis.variants.floor", "taken"]),
        (
            "synthesis.variants.Mine!",
            {"scheme": "single", "start": "noise"},
            ["synthesis.variants.Mine!", "lower-case"],
        ),
    ],
)
def test_a_wrong_key_or_value_is_refused_with_its_name_and_remedy(key, value, words, config, schema):
    message = refusal(change(config, key, value), schema)
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cohort.split": {"train": 0.6, "val": 0.3, "test": 0.3}}, ["cohort.split", "1.2"]),
        ({"cohort.intensity_percentiles": [99, 1]}, ["cohort.intensity_percentiles", "swap"]),
        ({"cohort.source": "brats"}, ["cohort_dir", "null"]),
        ({"cohort.source": "bids"}, ["cohort_dir", "null", "bids"]),
        ({"cohort_dir": "somewhere"}, ["cohort_dir", "phantom"]),
        ({"cohort.patients": "patients.csv"}, ["cohort.patients", "phantom"]),
        ({"cohort.channels": {"T1": "x"}}, ["cohort.channels", "phantom"]),
        ({"cohort.masks": "{subject}", "cohort.source": "brats", "cohort_dir": "x"}, ["cohort.masks", "bids"]),
        (
            {"cohort.label_scheme": "dataset", "cohort.source": "brats", "cohort_dir": "x"},
            ["label_scheme", "dataset.json"],
        ),
        ({"cohort.label_scheme": "brats2023"}, ["cohort.label_scheme", "brats2021"]),
        ({"partition.reference_modality": "T2", "cohort.modalities": ["T1"]}, ["reference_modality", "T2"]),
        ({"synthesis.variants.new": {"scheme": "single", "start": "source"}}, ["variants.new", "strength"]),
        ({"synthesis.variants.single": {"strength": 0.5}}, ["variants.single", "remove"]),
        (PATIENTLESS, ["pretrain.refinement.free_looks", "patients"]),
        (UNREFINED, ["pretrain.banks", "refinement", "trains"]),
        ({"pretrain.banks.slices_1mm.trains": ["autoencoder"]}, ["pretrain.banks", "128, 192", "trains"]),
        ({"export.variant": "other"}, ["export.variant", "other", "independent"]),
    ],
)
def test_keys_that_do_not_fit_one_another_are_refused(changes, words, config, schema):
    for key, value in changes.items():
        config = change(config, key, value)
    message = refusal(config, schema)
    for word in words:
        assert word in message


def test_values_of_a_group_given_on_the_command_line_are_read_as_what_they_spell(config, schema):
    config = merge(config, {"experts": {"rank": "16", "learning_rate": "0.01"}, "synthesis": {"share_noise": "false"}})
    config = merge(config, {"partition": {"reference_modality": "null"}, "evaluation": {"segmenter": {"seeds": ["3"]}}})
    config = merge(
        config,
        {
            "cohort": {"modalities": ["T1"]},
            "synthesis": {"variants": {"mine": {"scheme": "joint", "start": "source", "strength": "0.1"}}},
        },
    )
    read_texts(config, schema)
    check_config(config, schema)
    assert config["experts"]["rank"] == 16
    assert config["experts"]["learning_rate"] == 0.01
    assert config["synthesis"]["share_noise"] is False
    assert config["synthesis"]["variants"]["mine"]["strength"] == 0.1
    assert config["partition"]["reference_modality"] is None
    assert config["evaluation"]["segmenter"]["seeds"] == [3]


def test_texts_that_spell_nothing_else_are_left_to_be_refused(config, schema):
    config = merge(config, {"run": "2021", "experts": {"rank": "four"}, "cohort": {"source": "[]"}})
    read_texts(config, schema)
    assert config["run"] == "2021"
    assert config["experts"]["rank"] == "four"
    assert config["cohort"]["source"] == "[]"


def test_an_old_key_is_refused_with_its_new_name():
    bank = {"type": "object", "additionalProperties": False, "properties": {"size": {}}, "renamed": {"width": "size"}}
    banks = {"type": "object", "additionalProperties": bank}
    schema = {"additionalProperties": False, "properties": {"banks": banks}, "renamed": {"stores": "banks"}}
    message = refusal({"banks": {"mine": {"width": 3}}}, schema)
    assert message == "The configuration key 'banks.mine.width' is now called 'banks.mine.size': rename it."
    message = refusal({"stores": {}}, schema)
    assert message == "The configuration key 'stores' is now called 'banks': rename it."


def test_of_an_old_and_a_new_name_the_schema_knows_one(schema):
    renamed = [(group, *names) for group in groups(schema) for names in group.get("renamed", {}).items()]
    assert renamed
    for group, old, new in renamed:
        assert (old in group["properties"]) != (new in group["properties"]), (old, new)


MINE = {"independent": {"scheme": "joint", "start": "noise"}}
YOURS = {"yours": {"scheme": "single", "start": "noise"}, "other": {"scheme": "joint", "start": "noise"}}


def given(config: dict[str, Any], schema: dict[str, Any], *sources: dict[str, Any]) -> dict[str, Any]:
    """The default with what later sources say, as a run gets it."""
    for source in sources:
        config = merge(config, source)
    replace_groups(config, sources, schema)
    return config


def test_the_groups_of_own_names_are_those_of_variants_and_of_banks(config, schema):
    sources = {"synthesis": {"variants": {}}, "pretrain": {"banks": {}}, "cohort": {"split": {}}, "experts": {}}
    expected = copy.deepcopy(config)
    expected["synthesis"]["variants"] = expected["pretrain"]["banks"] = {}
    assert given(config, schema, sources) == expected


def test_a_source_that_names_variants_gets_those_and_no_others(config, schema):
    found = given(config, schema, {"synthesis": {"steps": 9, "variants": MINE}}, {"synthesis": {"steps": 7}})
    assert found["synthesis"]["variants"] == MINE
    assert found["synthesis"]["steps"] == 7
    assert found["synthesis"]["feather"] == config["synthesis"]["feather"]
    check_config(found, schema)


def test_of_two_sources_that_name_variants_the_later_one_holds_in_its_order(config, schema):
    found = given(config, schema, {"synthesis": {"variants": MINE}}, {"seed": 2}, {"synthesis": {"variants": YOURS}})
    assert list(found["synthesis"]["variants"].items()) == list(YOURS.items())


def test_sources_that_name_no_variants_leave_those_of_the_default_in_their_order(config, schema):
    found = given(config, schema, {"synthesis": {"steps": 9}}, {"experts": {"rank": 2}})
    assert list(found["synthesis"]["variants"].items()) == list(config["synthesis"]["variants"].items())
    assert found["pretrain"]["banks"] == config["pretrain"]["banks"]


def test_a_replaced_group_is_not_the_source_itself(config, schema):
    source = {"synthesis": {"variants": {"mine": {"scheme": "single", "start": "source", "strength": "0.5"}}}}
    found = given(config, schema, source)
    read_texts(found, schema)
    assert found["synthesis"]["variants"]["mine"]["strength"] == 0.5
    assert source["synthesis"]["variants"]["mine"]["strength"] == "0.5"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"synthesis": {"variants": {}}}, ["synthesis.variants", "{}", "at least one variant"]),
        ({"synthesis": {"variants": None}}, ["synthesis.variants", "null", "at least one variant"]),
        ({"synthesis": None}, ["synthesis", "null", "a group of keys"]),
        ({"pretrain": {"banks": {}}}, ["pretrain.banks", "{}", "at least one bank"]),
        ({"synthesis": {"variants": {"single": {"strength": 0.4}}}}, ["lacks", "synthesis.variants.single.scheme"]),
        ({"synthesis": {"variants": YOURS}}, ["export.variant", "independent", "yours, other"]),
    ],
)
def test_a_replaced_group_that_says_too_little_is_refused(source, words, config, schema):
    message = refusal(given(config, schema, source), schema)
    for word in words:
        assert word in message


def test_a_missing_key_is_refused(config, schema):
    del config["experts"]["rank"]
    assert "experts.rank" in refusal(config, schema)

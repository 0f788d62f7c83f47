"""Where a configuration comes from: files, and words of the command line. Checked before anything is made of them."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from mosaicmr.errors import InputError

# Snakemake runs the Python in a file with this key when it reads the file, before any check of ours.
PROGRAM = "__use_yte__"
# Keys of the command line that are texts, though they may look like numbers.
NAMES = ("run", "cohort_dir")
# Commands of jobs hold each word of --config as it was typed, in double quotes where it has a single quote in it.
_EXPANDED = re.compile(r"[$`\\]")
_PLAIN_NUMBER = re.compile(r"0|-?[1-9][0-9]*")
_NUMBER = "tag:yaml.org,2002:int"


def check_file(path: str | Path) -> None:
    """Raise InputError on what a configuration file, YAML or JSON, does not say as it looks.

    That is a key that stands twice in one group, where only the last would count; a name that YAML reads as another
    number (`run: 007`); and Python to run. Whatever is neither YAML nor JSON is left to those who read it.
    """
    text = Path(path).read_text(encoding="utf-8-sig")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        _check_json(path, text)  # YAML knows no tabs between values, JSON does
        return
    for group in _groups(root):
        lines: dict[str, int] = {}
        for key in (key for key, _ in group.value if isinstance(key, yaml.ScalarNode)):
            line = key.start_mark.line + 1
            if key.value in lines:
                where = f", in lines {lines[key.value]} and {line}"
                raise InputError(_twice(path, key.value, where))
            lines[key.value] = line
    if isinstance(root, yaml.MappingNode):
        _check_top(path, {key.value: value for key, value in root.value if isinstance(key, yaml.ScalarNode)})


def check_words(words: Sequence[str]) -> None:
    """Raise InputError on a word of --config that would not reach a job as it was typed, or would run there.

    The commands of jobs on a cluster hold these words, quoted by Snakemake as Python quotes a text, not as shells do.
    """
    for word in words:
        found = _EXPANDED.search(word)
        strange = [letter for letter in word if not letter.isprintable()]
        fault = f"'{found.group()}'" if found else repr(strange[0]) if strange else None
        if fault is None and "'" in word and '"' in word:
            fault = "both kinds of quotes"
        if fault:
            raise InputError(
                f"The word {word!r} of --config has {fault} in it, which the shell of a job would interpret: leave it "
                "out, or write the key into a file for --configfile."
            )


def read_names(config: dict[str, Any], words: Sequence[str] = ()) -> None:
    """Turn names that Snakemake takes for numbers (a run called 20240101) into the texts they were, in place.

    words: of --config.
    """
    for name in NAMES:
        value = config.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        typed = [word.removeprefix(f"{name}=") for word in words if word.startswith(f"{name}=")]
        if typed:
            config[name] = typed[-1].strip().strip("'\"")
        elif isinstance(value, int):
            config[name] = str(value)


def _groups(root: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    """All groups in a document, each once, however often and however deep it is referred to."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            yield node
            waiting += [value for _, value in node.value]


def _check_top(path: str | Path, nodes: dict[str, yaml.Node]) -> None:
    if PROGRAM in nodes:
        raise InputError(
            f"{path} has the key '{PROGRAM}', by which Snakemake runs Python in it: expected a configuration without "
            "programs; remove the key and write the values out."
        )
    for name in NAMES:
        node = nodes.get(name)
        if node is not None and node.tag == _NUMBER and not _PLAIN_NUMBER.fullmatch(node.value):
            line = node.start_mark.line + 1
            raise InputError(
                f"{path} has {name}: {node.value} in line {line}, which YAML reads as another number: put it in quotes."
            )


def _check_json(path: str | Path, text: str) -> None:
    def check(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys: set[str] = set()
        for key, _ in pairs:
            if key in keys:
                raise InputError(_twice(path, key))
            keys.add(key)
        return dict(pairs)

    try:
        json.loads(text, object_pairs_hook=check)
    except ValueError:
        return


def _twice(path: str | Path, key: str, where: str = "") -> str:
    return f"{path} has the key '{key}' twice in one group{where}: leave one of them."

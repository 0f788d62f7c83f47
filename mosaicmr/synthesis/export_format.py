"""How an exported set names and orders its channels and labels: our own way, or that of an existing data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mosaicmr.cohort.labels import TumourClass
from mosaicmr.cohort.slice_set import SliceHeader
from mosaicmr.errors import InputError
from mosaicmr.io import load_json
from mosaicmr.sources.scans import modality_of


@dataclass(frozen=True)
class ExportFormat:
    """How a set names and orders its channels and labels.

    channels: name of each channel and the modality it holds, in order. labels: name and value of each label but the
    background, by rising value. values: the value of each of our classes, by its own value.
    """

    channels: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, int], ...]
    values: dict[int, int]

    @classmethod
    def plain(cls, header: SliceHeader, classes: Sequence[TumourClass]) -> Self:
        """Our own names; labels from 1 on without gaps, as nnU-Net wants them."""
        ranked = {one.name: (one.value, rank) for rank, one in enumerate(classes, start=1)}
        labels = tuple((name, rank) for name, (_, rank) in ranked.items())
        return cls(tuple((name, name) for name in header.modalities), labels, dict(ranked.values()))

    @classmethod
    def like(cls, path: str | Path, header: SliceHeader, classes: Sequence[TumourClass]) -> Self:
        """The names and the order of an existing dataset.json of nnU-Net v2.

        Channels are matched by the words for modalities, labels by the names of classes. Raises InputError if it is no
        such file, if one of its channels is none of our modalities or repeats another, or if it lacks one of the
        classes.
        """
        content = _read(path)
        channels: list[tuple[str, str]] = []
        for _, name in sorted(content["channel_names"].items(), key=lambda item: int(item[0])):
            modality = modality_of(str(name), {})
            if modality not in header.modalities:
                raise InputError(
                    f"export.like '{path}' has the channel '{name}', which is none of the modalities of this run "
                    f"({', '.join(header.modalities)}): add it to cohort.modalities, or name another dataset.json."
                )
            if modality in [taken for _, taken in channels]:
                raise InputError(
                    f"export.like '{path}' has two channels of {modality}, the second as '{name}': expected one; name "
                    "another dataset.json."
                )
            channels.append((str(name), modality))
        values = {name: value for name, value in content["labels"].items() if type(value) is int and value > 0}
        for one in classes:
            if one.name not in values:
                raise InputError(
                    f"export.like '{path}' has the labels {', '.join(values) or 'none'}, but not '{one.name}': name "
                    "the classes of this run as there (cohort.classes), or name another dataset.json."
                )
        labels = tuple(sorted(values.items(), key=lambda item: item[1]))
        return cls(tuple(channels), labels, {one.value: values[one.name] for one in classes})


def _read(path: str | Path) -> Mapping[str, Any]:
    """The content of a dataset.json of nnU-Net v2. Raises InputError if it is none."""
    content = load_json(path)
    groups = [content.get(name) if isinstance(content, dict) else None for name in ("channel_names", "labels")]
    if not all(isinstance(group, dict) and group for group in groups) or not all(key.isdigit() for key in groups[0]):
        raise InputError(
            f'export.like \'{path}\' lacks channel_names such as {{"0": "FLAIR"}} or labels such as '
            '{"background": 0, "lesion": 1}: name a dataset.json of nnU-Net v2.'
        )
    return content

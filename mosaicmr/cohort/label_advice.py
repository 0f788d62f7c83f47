"""Advice on label schemes: the values that occur in a cohort's segmentations, and each scheme's reading of them.

The same value means different things from year to year (4 is enhancing tumour to 2021 and a resection cavity to 2024),
and a scheme that knows all values of a cohort may still be the wrong one. So none is recommended by its values alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mosaicmr.cohort.labels import LABEL_SCHEMES, TumourClass

REFUSED = "refused"


@dataclass(frozen=True)
class LabelAdvice:
    """How the public schemes read a cohort's labels.

    rows: for each value its number of scans and, under the name of each scheme, the class it would be, or REFUSED.
    sentences: on each scheme that reads all values, then on doubts, then on the way out.
    """

    rows: list[dict[str, str | int | float]]
    sentences: list[str]


def explain_labels(counts: Mapping[int | float, int]) -> LabelAdvice:
    """Say which labels occur in how many scans, and how each public scheme would read them.

    counts: the number of scans in which each value of the segmentations occurs; 0, the background, is passed over.
    """
    values = sorted(value for value, scans in counts.items() if value != 0 and scans)
    rows = [{"label": value, "scans": counts[value]} | _readings(value) for value in values]
    if not values:
        return LabelAdvice([], ["No segmentation has a label beside 0, the background."])
    sentences = ["Labels: " + ", ".join(f"{_text(value)} in {_scans(counts[value])}" for value in values) + "."]
    sentences += [_explain_scheme(name, table, counts, values) for name, table in LABEL_SCHEMES.items()]
    sentences += _doubts(counts)
    fractions = [value for value in values if value != int(value)]
    if fractions:
        shown = ", ".join(map(_text, fractions))
        sentences.append(f"Labels that are no whole numbers ({shown}) come from resampling: use nearest neighbours.")
    elif not any(all(value in table for value in values) for table in LABEL_SCHEMES.values()):
        listed = ", ".join(f"{{name: class_{value:g}, values: [{value:g}], words: ..., like: ...}}" for value in values)
        sentences.append(
            f"No scheme knows all of them: set cohort.label_scheme to custom and cohort.classes to [{listed}]."
        )
    return LabelAdvice(rows, sentences)


def _readings(value: float) -> dict[str, str]:
    return {name: table[value].words if value in table else REFUSED for name, table in LABEL_SCHEMES.items()}


def _explain_scheme(
    name: str, table: Mapping[int, TumourClass], counts: Mapping[float, int], values: list[float]
) -> str:
    """One sentence: what the scheme refuses, or else what it reads, and which of its classes would never occur."""
    unknown = [value for value in values if value not in table]
    if unknown:
        words = ", ".join(f"{_text(value)} (in {_scans(counts[value])})" for value in unknown)
        return f"{name} would refuse {words}."
    read = ", ".join(f"{_text(value)} as {table[value].words}" for value in values)
    absent = [f"{table[value].words} ({value})" for value in table if not counts.get(value)]
    return f"{name} would read {read}" + (f"; it would find no {' and no '.join(absent)}." if absent else ".")


def _doubts(counts: Mapping[float, int]) -> list[str]:
    """The sentence on a value that two years use for different classes, where the other values tell the year."""
    if not counts.get(4):
        return []
    if not counts.get(3):
        return [
            "A 4 without any 3 is how brats2021 writes enhancing tumour: brats2024-gli would read it as a "
            "resection cavity, whatever year the names are of."
        ]
    return [
        "3 and 4 together are enhancing tumour and resection cavity in brats2024-gli, but non-enhancing and enhancing "
        "tumour in the original labels of 2012 to 2016: look at a scan that has both."
    ]


def _text(value: float) -> str:
    """A label with all its digits; 0.99999994 is no 1."""
    return str(int(value)) if value == int(value) else repr(float(value))


def _scans(count: int) -> str:
    return f"{count} scan" + ("s" if count != 1 else "")

"""A figure, its target, and the JSON file that keeps the figures of one base with where they were made."""

import hashlib
import math
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure as Picture

from benchmarks.base_figures.amounts import TARGETS, Amounts, Target
from mosaicmr.errors import InputError
from mosaicmr.io import load_json, save_json

DIGITS = 4
PACKAGES = ("torch", "diffusers", "transformers", "numpy", "scipy", "scikit-learn", "scikit-image", "monai")


@dataclass(frozen=True)
class Figure:
    """A measured figure.

    value, and the bounds low and high of its 95 % interval over patients (NaN where there is none); how many slices of
    how many patients are behind it; parts: what it is made of or stands beside, as JSON; pictures: what draws the
    sheets that show it, by file name.
    """

    value: float
    low: float
    high: float
    slices: int
    patients: int
    parts: dict[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, Callable[[], Picture]] = field(default_factory=dict)


def describe(figure: Figure, target: Target | None, seconds: float, quick: bool) -> dict[str, Any]:
    """A figure as JSON. A quick figure has met no target: its few slices only show that the command works."""
    judged = target is not None and not quick and math.isfinite(figure.value)
    wanted = None if target is None else {"at_most" if target.at_most else "at_least": target.value}
    return rounded(
        {
            "value": figure.value,
            "low": figure.low,
            "high": figure.high,
            "target": wanted,
            "met": target.met(figure.value) if judged else None,
            "slices": figure.slices,
            "patients": figure.patients,
            "seconds": round(seconds, 1),
            "parts": figure.parts,
        }
    )


def rounded(content: Any) -> Any:
    """JSON-like content with numbers of a few digits; what is not finite becomes null, because JSON has no NaN."""
    if isinstance(content, Mapping):
        return {str(key): rounded(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [rounded(value) for value in content]
    if isinstance(content, float):
        return round(float(content), DIGITS) if math.isfinite(content) else None
    return content


def describe_machine(threads: int) -> dict[str, Any]:
    """Date, processor, cores, threads used, load before the start, and versions: what a figure's seconds depend on."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "load": round(os.getloadavg()[0], 2),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    }


def processor() -> str:
    """The model name of the processor: Linux has it in a file of its own, where Python only knows the architecture."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


class Record:
    """The JSON file of the figures of one base, all measured in the same amounts, each with its own date and machine.

    A file of another base or of other amounts is replaced if `anew`; else InputError is raised, so that figures of two
    models never stand in one table. Quick figures never replace others.
    """

    def __init__(self, path: Path, base: Path, amounts: Amounts, anew: bool):
        facts = base / "mosaicmr.json"
        identity = {
            "base": base.resolve().name,
            "sha256": hashlib.sha256(facts.read_bytes()).hexdigest(),
            "quick": amounts.quick,
            "amounts": rounded(asdict(amounts)),
        }
        found = load_json(path) if path.exists() else {}
        same = {key: found.get(key) for key in identity} == identity
        if found and amounts.quick and not found.get("quick"):
            raise InputError(f"{path} has figures that are not quick ones: name another file by --out.")
        if found and not same and not anew:
            raise InputError(
                f"{path} has figures of another base, or of other amounts of slices: measure all figures without "
                "--only, or name another file by --out."
            )
        self.path = path
        self.content = identity | {"figures": found["figures"] if same else {}}

    def add(self, name: str, figure: dict[str, Any]) -> None:
        """Write a figure into the file, in the place of an older one of that name."""
        figures = self.content["figures"] | {name: figure}
        self.content["figures"] = {known: figures[known] for known in TARGETS if known in figures}
        save_json(self.path, self.content)

    def table(self) -> str:
        """The figures as a Markdown table."""
        titles = ("figure", "value", "95 % interval", "target", "slices (patients)", "seconds")
        lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
        lines += [_row(name, figure) for name, figure in self.content["figures"].items()]
        note = ["", "Quick figures, of a few coarse slices: they say that the command works and nothing of the base."]
        return "\n".join(lines + (note if self.content["quick"] else []))


def _row(name: str, figure: Mapping[str, Any]) -> str:
    interval = "" if figure["low"] is None else f"{figure['low']:.3g} to {figure['high']:.3g}"
    target = "report"
    if figure["target"]:
        ((bound, value),) = figure["target"].items()
        verdict = {None: "", True: ", met", False: ", missed"}[figure["met"]]
        target = f"{bound.replace('_', ' ')} {value:g}{verdict}"
    value = "none" if figure["value"] is None else f"{figure['value']:.3f}"
    cells = (name, value, interval, target, f"{figure['slices']} ({figure['patients']})", f"{figure['seconds']:.0f}")
    return f"| {' | '.join(cells)} |"

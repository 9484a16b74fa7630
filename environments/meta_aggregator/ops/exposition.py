"""Prometheus' text exposition format, version 0.0.4: written, and read as strictly as the server reads it.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

KINDS = ("counter", "gauge", "histogram", "summary", "untyped")
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)(?: (?P<time>-?\d+))?")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a metric; `labels` tells it from the others."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """A family: its name (with its unit at the end), its kind, what it means, its samples."""

    name: str
    kind: str
    help: str
    samples: tuple[Sample, ...]


def render(metrics: Iterable[Metric]) -> str:
    """Give the text; ends with a newline, as the format demands."""
    lines = []
    for metric in metrics:
        lines += [f"# HELP {metric.name} {_escape(metric.help)}", f"# TYPE {metric.name} {metric.kind}"]
        for sample in metric.samples:
            told = ",".join(f'{name}="{_escape(value, quoted=True)}"' for name, value in sample.labels.items())
            lines.append(f"{metric.name}{sample.suffix}{{{told}}} {sample.value:.17g}" if told else
                         f"{metric.name}{sample.suffix} {sample.value:.17g}")  # fmt: skip
    return "\n".join(lines) + "\n"


def parse(text: str) -> dict[str, Metric]:
    """Read a text, by name of the family; ValueError with the line's number for what Prometheus would refuse."""
    if not text.endswith("\n"):
        raise ValueError("the last line does not end with a newline")
    families: dict[str, Metric] = {}
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    helps: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match line.split(" ", 3):
            case ["#", "HELP", name, *rest]:
                helps[name] = rest[0] if rest else ""
            case ["#", "TYPE", name, kind]:
                if kind not in KINDS or not NAME.fullmatch(name) or name in families:
                    raise ValueError(f"line {number}: a wrong or second TYPE: {line}")
                families[name] = Metric(name, kind, helps.get(name, ""), ())
            case ["#", *_] | [""]:
                pass
            case _:
                _add(families, seen, line, number)
    return families


def _add(
    families: dict[str, Metric], seen: set[tuple[str, tuple[tuple[str, str], ...]]], line: str, number: int
) -> None:
    found = SAMPLE.fullmatch(line)
    if not found:
        raise ValueError(f"line {number}: this is no sample: {line}")
    name, labels = found["name"], _labels(found["labels"] or "", number)
    key = (name, tuple(sorted(labels.items())))
    if key in seen:
        raise ValueError(f"line {number}: this series is there twice: {line}")
    seen.add(key)
    family, suffix = _family(families, name)
    if family is None:
        raise ValueError(f"line {number}: {name} has no TYPE above it")
    sample = Sample(float(found["value"]), labels, suffix)
    families[family.name] = Metric(family.name, family.kind, family.help, (*family.samples, sample))


def _family(families: Mapping[str, Metric], name: str) -> tuple[Metric | None, str]:
    for known in families.values():
        for suffix in SUFFIXES.get(known.kind, ("",)):
            if name == known.name + suffix:
                return known, suffix
    return None, ""


def _labels(text: str, number: int) -> dict[str, str]:
    found = LABEL.findall(text)
    if ",".join(f'{name}="{value}"' for name, value in found) != text.removesuffix(","):
        raise ValueError(f"line {number}: these are no labels: {text}")
    unescaped = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
    return {name: re.sub(r"\\.", lambda m: unescaped[m.group()], value) for name, value in found}


def _escape(text: str, *, quoted: bool = False) -> str:
    plain = text.replace("\\", "\\\\").replace("\n", "\\n")
    return plain.replace('"', '\\"') if quoted else plain

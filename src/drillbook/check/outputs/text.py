"""Findings for a person: each with its line, a caret below what is meant, and the mend."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import click

from drillbook.check.batch import Result
from drillbook.check.engine import read_text
from drillbook.check.finding import Finding, Severity
from drillbook.check.outputs.counting import summary
from drillbook.errors import UsageError

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.HINT: "cyan"}
_WIDEST = 110
_LEAD = 30


def render(result: Result) -> str:
    """Give all findings and, last, how many there are."""
    lines = cache(_lines)
    return "\n".join([*(row for one in result.findings for row in _rows(one, lines(one.file))), summary(result)])


def _lines(file: Path) -> Sequence[str]:
    try:
        return read_text(file).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    except UsageError:
        return ()


def _rows(finding: Finding, lines: Sequence[str]) -> Iterator[str]:
    colour = _COLOURS[finding.severity]
    place = f"{finding.file}:{finding.line}:{finding.column}"
    severity = click.style(f"{finding.severity} {finding.code}", fg=colour, bold=True)
    yield f"{click.style(place, bold=True)}: {severity} {finding.message}"
    if finding.line <= len(lines):
        source, pad, width = _window(lines[finding.line - 1], finding)
        number = f"{finding.line:>5}"
        yield f"{number} | {source}"
        yield f"{'':>5} | {pad}{click.style('^' * width, fg=colour)}"
    fixable = " (--fix does it)" if finding.fix else ""
    yield f"{'':>5} = {finding.mend}{fixable}\n"


def _window(line: str, finding: Finding) -> tuple[str, str, int]:
    """Give the part of a line that a person is shown, the blanks before the caret, and the caret's width in cells."""
    start = finding.column - 1
    last = finding.end.line == finding.line
    end = max(start + 1, finding.end.column - 1 if last else len(line.rstrip()))
    first = 0 if end <= _WIDEST else max(0, start - _LEAD)
    shown = _printable(("… " if first else "") + line[first : first + _WIDEST])
    before = ("… " if first else "") + line[first:start]
    marked = line[start : min(end, first + _WIDEST)]
    return shown.rstrip(), " " * _cells(_printable(before)), max(1, _cells(_printable(marked)))


def _printable(text: str) -> str:
    """Give a text without what would move a terminal's cursor: tabs as one blank, control characters as dots."""
    return "".join(" " if char == "\t" else char if char.isprintable() else "·" for char in text)


def _cells(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(bool(unicodedata.combining(char)) for char in text)

"""Findings as GitHub Actions' workflow commands, which it shows beside the lines of a pull request."""

from __future__ import annotations

from drillbook.check.batch import Result
from drillbook.check.finding import Finding, Severity
from drillbook.check.outputs.counting import summary

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.HINT: "notice"}


def render(result: Result) -> str:
    """Give one workflow command per finding, then how many there are."""
    return "\n".join([*map(_command, result.findings), summary(result)])


def _command(finding: Finding) -> str:
    same_line = finding.end.line == finding.line
    place = f"file={_value(finding.file.as_posix())},line={finding.line},endLine={finding.end.line}"
    if same_line:
        place += f",col={finding.column},endColumn={max(finding.column, finding.end.column - 1)}"
    message = f"{finding.message}. Mend: {finding.mend}"
    return f"::{_COMMANDS[finding.severity]} {place},title={_value(finding.code)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _value(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

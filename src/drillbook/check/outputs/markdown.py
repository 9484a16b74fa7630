"""Findings as a Markdown table, for a comment or a team's page."""

from __future__ import annotations

from drillbook.check.batch import Result
from drillbook.check.finding import Finding
from drillbook.check.outputs.counting import summary


def render(result: Result) -> str:
    """Give a line that says how many there are, and a row per finding."""
    rows = [_row(finding) for finding in result.findings]
    table = ["", "| place | finding | says | mend |", "|---|---|---|---|", *rows] if rows else []
    return "\n".join([f"**{summary(result)}**", *table])


def _row(finding: Finding) -> str:
    place = f"{finding.file.as_posix()}:{finding.line}"
    cells = (f"`{place}`", f"{finding.severity} {finding.code}", finding.message, finding.mend)
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")

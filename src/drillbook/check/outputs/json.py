"""Findings for a program: one object with all that is known of each."""

from __future__ import annotations

import json
from dataclasses import asdict

from drillbook.check.batch import Result
from drillbook.check.finding import Finding


def render(result: Result) -> str:
    """Give `{"version": 1, "files", "findings": […], "errors": […]}`; lines and columns count from 1."""
    told = {
        "version": 1,
        "files": len(result.files),
        "findings": [_finding(finding) for finding in result.findings],
        "errors": [{"message": error.message, "at": str(error.at), "mend": error.mend} for error in result.errors],
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "code": finding.code,
        "severity": str(finding.severity),
        "file": finding.file.as_posix(),
        "line": finding.line,
        "column": finding.column,
        "end_line": finding.end.line,
        "end_column": finding.end.column,
        "message": finding.message,
        "mend": finding.mend,
        "fix": [asdict(edit) for edit in finding.fix],
    }

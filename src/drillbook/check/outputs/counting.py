"""The one line that says how much was found."""

from __future__ import annotations

from drillbook.check.batch import Result
from drillbook.check.finding import Severity


def count(number: int, noun: str) -> str:
    """Give `1 error`, `2 errors`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def summary(result: Result) -> str:
    """Give `2 errors, 1 warning in 3 files`, or `no findings in 3 files`."""
    found = [sum(finding.severity is severity for finding in result.findings) for severity in Severity]
    parts = [count(number, str(severity)) for number, severity in zip(found, Severity, strict=True) if number]
    unread = f", {count(len(result.errors), 'file')} not checked" if result.errors else ""
    return f"{', '.join(parts) or 'no findings'} in {count(len(result.files) - len(result.errors), 'file')}{unread}"

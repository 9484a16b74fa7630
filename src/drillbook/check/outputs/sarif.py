"""Findings as SARIF 2.1.0 (OASIS), which GitHub's code scanning and most dashboards take."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from drillbook.check.batch import Result
from drillbook.check.finding import Edit, Finding, Severity
from drillbook.check.registry import all_rules
from drillbook.check.rule import Rule

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.HINT: "note"}
Json = dict[str, object]


def render(result: Result) -> str:
    """Give the log: one run with the rules that found something, and a result per finding."""
    known = {rule.code: rule for rule in all_rules()}
    codes = sorted({finding.code for finding in result.findings})
    driver: Json = {
        "name": "Drillbook",
        "version": version("drillbook"),
        "rules": [_rule(code, known.get(code)) for code in codes],
    }
    told: Json = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {"executionSuccessful": not result.errors, "toolExecutionNotifications": _notifications(result)}
        ],
        "results": [_result(finding, codes.index(finding.code)) for finding in result.findings],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [told]}, indent=2, ensure_ascii=False)


def _rule(code: str, rule: Rule | None) -> Json:
    if rule is None:
        return {"id": code, "helpUri": f"https://www.shellcheck.net/wiki/{code}"}
    told: Json = {
        "id": code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.explanation},
        "help": {"text": f"{rule.explanation}\n\nSilent when: {rule.silent}", "markdown": rule.explanation},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }
    return told | ({"helpUri": rule.url} if rule.url else {})


def _result(finding: Finding, index: int) -> Json:
    place = {"artifactLocation": _artifact(finding.file), "region": _region(Edit(finding.start, finding.end, ""))}
    told: Json = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.message}. Mend: {finding.mend}"},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"drillbook/v1": _fingerprint(finding)},
    }
    if finding.fix:
        replacements = [
            {"deletedRegion": _region(edit), "insertedContent": {"text": edit.text}} for edit in finding.fix
        ]
        change = {"artifactLocation": _artifact(finding.file), "replacements": replacements}
        told["fixes"] = [{"description": {"text": finding.mend}, "artifactChanges": [change]}]
    return told


def _notifications(result: Result) -> list[Json]:
    return [
        {"level": "error", "message": {"text": error.message}}
        | ({"locations": [{"physicalLocation": {"artifactLocation": _artifact(error.at.file)}}]} if error.at else {})
        for error in result.errors
    ]


def _artifact(file: Path) -> Json:
    if file.is_absolute():
        return {"uri": file.as_uri()}
    return {"uri": quote(file.as_posix())}


def _region(edit: Edit) -> Json:
    return {
        "startLine": edit.start.line,
        "startColumn": edit.start.column,
        "endLine": edit.end.line,
        "endColumn": edit.end.column,
    }


def _fingerprint(finding: Finding) -> str:
    """Give what stays the same when lines above are added: the rule, the file, and what it says."""
    words = "\0".join((finding.code, finding.file.as_posix(), finding.message))
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:32]

"""One runbook through the rules: text in, findings out. Everything here is pure but `read_text`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from drillbook.check.document import Document, read_document
from drillbook.check.finding import Edit, Finding
from drillbook.check.ignores import Ignore, apply, read_ignores
from drillbook.check.options import Options
from drillbook.check.registry import all_rules
from drillbook.check.rule import Found, Rule
from drillbook.errors import Location, UsageError

LARGEST = 8_000_000
"""The largest runbook that is read, in bytes: what is larger was not written by people for people."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the rules found in one file, before its comments took anything away."""

    file: Path
    findings: tuple[Finding, ...]
    ignores: tuple[Ignore, ...]


def read_text(file: Path) -> str:
    """Give a runbook's text.

    Raises UsageError for what is no runbook: too large, not UTF-8, with NUL bytes, unreadable.
    """
    try:
        size = file.stat().st_size
        if size > LARGEST:
            message = f"the file has {size / 1e6:.0f} MB; runbooks of up to {LARGEST / 1e6:.0f} MB are read"
            raise UsageError(message, at=Location(file), mend="split it, or leave it out with `exclude`")
        data = file.read_bytes()
    except OSError as error:
        message = f"cannot read the runbook: {error.strerror or error}"
        raise UsageError(message, at=Location(file), mend="name a Markdown file that can be read") from error
    at = data.find(b"\0")
    if at >= 0:
        line = data.count(b"\n", 0, at) + 1
        raise UsageError("there is a NUL byte: this is no text", at=Location(file, line), mend="save it as UTF-8 text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"the runbook is not UTF-8: byte 0x{data[error.start]:02x}"
        mend = f"save it as UTF-8, e.g. iconv -t utf-8 {file}"
        raise UsageError(message, at=Location(file, line), mend=mend) from error


def run_rules(document: Document, rules: Iterable[Rule]) -> Checked:
    """Run rules over a document."""
    found = (_finding(document, rule, one) for rule in rules for one in rule.check(document))
    return Checked(document.file, tuple(found), read_ignores(document))


def check_text(text: str, file: Path, rules: Sequence[Rule], options: Options | None = None) -> tuple[Finding, ...]:
    """Check one runbook's text and give its findings in the order of the file."""
    document = read_document(text, file, options)
    return conclude(run_rules(document, rules), (), rules)


def conclude(
    checked: Checked, more: Iterable[Finding], rules: Sequence[Rule], *, beside: Collection[str] = ()
) -> tuple[Finding, ...]:
    """Let a file's comments take findings away, of the rules and `more`, and sort what is left.

    `beside` are the letters of the groups (SC, CO) that were asked beside the rules: an ignore of another one's code cannot be
    told to be unused.
    """
    codes = frozenset(rule.code for rule in rules if rule.code[:2] != "CO")
    others = tuple(more)
    kept = apply(
        checked.ignores,
        (*checked.findings, *others),
        checked.file,
        is_known=_is_known,
        was_checked=lambda code: code in codes or code[:2] in beside,
    )
    return tuple(sorted(kept, key=lambda finding: (finding.start, finding.code, finding.end)))


def _is_known(code: str) -> bool:
    return code.startswith("SC") or any(rule.code == code for rule in all_rules())


def _finding(document: Document, rule: Rule, found: Found) -> Finding:
    place = document.place
    fix = tuple(Edit(place(one.span.start), place(one.span.end), one.text) for one in found.fix)
    return Finding(
        rule.code,
        found.severity or rule.severity,
        document.file,
        place(found.span.start),
        place(found.span.end),
        found.message,
        found.mend,
        fix,
    )

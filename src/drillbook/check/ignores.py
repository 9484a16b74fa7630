"""`<!-- drillbook: ignore CODE reason -->`: which findings a comment takes away, and what is wrong with a comment.

A comment on its own line covers what stands below it: a heading's whole section, a list item, a paragraph, a table, or a
code block. A comment behind text covers that text's block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from drillbook.check.core_rules import IGNORE_WITHOUT_REASON, UNKNOWN_IGNORE, UNUSED_IGNORE
from drillbook.check.document import Document
from drillbook.check.finding import Edit, Finding, Place
from drillbook.check.rule import Rule

_OURS = re.compile(r"drillbook:\s*(.*)", re.DOTALL)
_CODES = r"[A-Z]{2}\d+(?:[\s,]+[A-Z]{2}\d+)*"
_IGNORE = re.compile(rf"ignore\s+({_CODES})(?!\S)\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Ignore:
    """One comment: the codes that it takes away in lines [first, last), and where it stands itself.

    `codes` is empty for a comment that is not written as it should be, `reason` "" where none is given.
    """

    codes: tuple[str, ...]
    reason: str
    first: int
    last: int
    start: Place
    end: Place
    lines: tuple[Place, Place] | None = None
    """From where to where its whole lines go, where it stands there alone."""


def read_ignores(document: Document) -> tuple[Ignore, ...]:
    """Give a document's comments that are addressed to Drillbook."""
    return tuple(_read(document)) if "drillbook:" in document.text else ()


def apply(
    ignores: Sequence[Ignore],
    findings: Iterable[Finding],
    file: Path,
    *,
    is_known: Callable[[str], bool],
    was_checked: Callable[[str], bool],
) -> list[Finding]:
    """Take the ignored findings away, and add those about the comments themselves if their rules were checked."""
    used: set[tuple[int, str]] = set()
    kept: list[Finding] = []
    for finding in findings:
        by = [at for at, one in enumerate(ignores) if one.reason and _covers(one, finding)]
        used.update((at, finding.code) for at in by)
        if not by:
            kept.append(finding)
    for at, one in enumerate(ignores):
        unused = [code for code in one.codes if (at, code) not in used and was_checked(code)]
        rule, message, mend = _fault(one, unused, is_known)
        if rule is not None and was_checked(rule.code):
            fix = (Edit(*(one.lines or (one.start, one.end)), ""),) if len(unused) == len(one.codes) and unused else ()
            fix = fix if rule is UNUSED_IGNORE else ()
            kept.append(Finding(rule.code, rule.severity, file, one.start, one.end, message, mend, fix))
    return kept


def _fault(one: Ignore, unused: list[str], is_known: Callable[[str], bool]) -> tuple[Rule | None, str, str]:
    unknown = [code for code in one.codes if not is_known(code)]
    if not one.codes:
        return UNKNOWN_IGNORE, "this comment has no effect", "write `<!-- drillbook: ignore CODE reason -->`"
    if unknown:
        return UNKNOWN_IGNORE, f"there is no rule {', '.join(unknown)}", "`drillbook rule --all` lists the rules"
    if not one.reason:
        return IGNORE_WITHOUT_REASON, "no reason is given, so nothing is ignored", "write the reason behind the code"
    if unused:
        return UNUSED_IGNORE, f"{', '.join(unused)} finds nothing here", "remove the comment, or the code"
    return None, "", ""


def _covers(one: Ignore, finding: Finding) -> bool:
    return finding.code in one.codes and one.first <= finding.line < one.last


def _read(document: Document) -> Iterator[Ignore]:
    for text, span in document.html_comments:
        ours = _OURS.fullmatch(text)
        if ours is None:
            continue
        match = _IGNORE.fullmatch(ours[1].strip())
        codes = tuple(re.split(r"[\s,]+", match[1])) if match else ()
        reason = " ".join(match[2].split()) if match else ""
        first, last = document.covered_by(span)
        start, end = document.place(span.start), document.place(span.end)
        alone = document.lines[start.line - 1].strip() == document.lines[end.line - 1].strip() == document.shown(span)
        lines = (Place(start.line, 1), Place(end.line + 1, 1)) if alone and end.line < len(document.lines) else None
        yield Ignore(codes, reason, first, last, start, end, lines)

"""DF112: something that was to be written later."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity

_LATER = re.compile(r"(?<!\w)(?:TODO|FIXME|TBD|TBC|CHANGE[_-]?ME|REPLACE[_-]?ME)(?!\w)")
_BEFORE = re.compile(r"(?:^[\s>#*+|-]*|^\s*\d+[.)] +|[:=(|] *[\"'*]*)(?:\[ \] )?[*_]*$")
_BEHIND = re.compile(r"[*_]*(?:[:)|\"']|\.?\s*$| [-|])")


def _check(document: Document) -> Iterator[Found]:
    if not _LATER.search(document.text):
        return
    comments = [span for _, span in document.html_comments]
    for match in _LATER.finditer(document.text):
        span = document.span(match)
        block = document.block_at(document.line_of(span.start))
        if block is not None and not block.shell:
            continue
        if block is None and any(comment.start <= span.start < comment.end for comment in comments):
            continue
        place = document.place(span.start)
        row = document.lines[place.line - 1]
        if block is None and row.startswith("#"):
            continue
        if not _BEFORE.search(row[: place.column - 1]) or not _BEHIND.match(row, place.column - 1 + len(match[0])):
            continue
        yield Found(
            span,
            f"{match[0]}: whoever needs this now finds that it was never written",
            "write it, or take the line out and say who knows",
        )


RULE = Rule(
    code="DF112",
    name="unfinished",
    severity=Severity.WARNING,
    summary="`TODO`, `TBD` or `CHANGEME` stands where the operator needs a name, a number or a command.",
    explanation=(
        "A gap that the author meant to fill is found by the one who cannot: at night, with the service down. The escalation "
        "path that ends in *TBD* ends there."
    ),
    silent=(
        "It is in a heading, an HTML comment, code font, or a fence that is no shell's; or it is a word among others in a "
        "sentence or a command (*the TODO list*, `grep TODO`): it counts where it stands for what is missing."
    ),
    check=_check,
    bad=(
        "# Fail over\n\n1. Call the owner of the database: ⟦TBD⟧\n",
        "# Fail over\n\n```bash\n# ⟦TODO⟧: promote the replica\ndate\n```\n",
    ),
    good=(
        "# Fail over\n\n<!-- TODO: a picture -->\n\n1. Call the owner of the database: +1-202-555-0123\n",
        "# Look for gaps\n\nWhat says `TODO` is not in force.\n\n```bash\ngrep -rn TODO runbooks/\n```\n",
    ),
)

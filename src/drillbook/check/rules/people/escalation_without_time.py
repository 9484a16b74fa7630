"""PE104: an escalation path that never says when to go on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity

_PATH = re.compile(
    r"escalation (?:path|chain|order|list|matrix|policy)|call (?:tree|list)|on-?call (?:path|list)", re.IGNORECASE
)
_TIME = re.compile(
    r"\b\d+\s*(?:-|to\s+\d+\s*)?(?:s|sec|seconds?|m|mins?|minutes?|h|hours?)\b|\b(?:five|ten|fifteen|thirty) minutes|immediately",
    re.IGNORECASE,
)


def _check(document: Document) -> Iterator[Found]:
    for section in document.sections:
        if not _PATH.search(section.title):
            continue
        end = document.end_of(section)
        prose = [one for one in document.prose if section.line < one.line < end]
        items = [one for one in prose if one.kind in ("item", "cell")]
        if len(items) > 1 and not any(_TIME.search(one.text) for one in prose):
            yield Found(
                document.find(section.title, section.line, section.line + 1),
                "nobody can tell how long to wait for whom before the next is called",
                "say it: who has not acknowledged within 5 minutes is passed over",
            )


RULE = Rule(
    code="PE104",
    name="escalation-without-time",
    severity=Severity.WARNING,
    summary="An escalation path names people, but no time after which the next one is called.",
    explanation=(
        "The operator rings the first number, waits, rings again. Without a limit the waiting is their own to "
        "decide, and it is nearly always too long."
    ),
    silent=("Any time stands in the section, or it names fewer than two."),
    check=_check,
    bad=(("# Contacts\n\n## ⟦Escalation Path⟧\n\n1. Ada\n2. Grace\n"),),
    good=(("# Contacts\n\n## Escalation Path\n\n1. Ada\n2. Grace, when Ada has not acknowledged within 5 minutes\n"),),
)

"""PE103: a call that is a comment."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity
from drillbook.runbook.wording import is_message

_COMMENT = re.compile(r"\s*#+\s*(?P<words>\S.*)")


def _check(document: Document) -> Iterator[Found]:
    for block in document.blocks:
        if not block.shell or block.is_transcript:
            continue
        for row, text in enumerate(block.rows):
            match = _COMMENT.fullmatch(text)
            if (
                match
                and not text.lower().lstrip("# ").startswith("step")
                and is_message(match["words"], addressed=True)
            ):
                yield Found(
                    document.trimmed(block.starts[row], block.starts[row] + len(text)),
                    "somebody is to be told, but this is a comment: pasted, nobody is",
                    "make it a step of its own, outside of the fence",
                )


RULE = Rule(
    code="PE103",
    name="person-called-in-a-comment",
    severity=Severity.WARNING,
    summary="A comment in a fence asks to call or write to somebody.",
    explanation=(
        "Whoever pastes the fence runs the commands and calls nobody. A call, a message, an approval is a step: "
        "it needs its own line, and its time counts."
    ),
    silent=("No one is addressed (a team, a channel, a number), or the comment only names the command below it."),
    check=_check,
    bad=(("# Outage\n\n```bash\n⟦# Call primary on-call: Ada⟧\ndate\n```\n"),),
    good=(("# Outage\n\n1. Call primary on-call: Ada\n2. Note the time:\n\n   ```bash\n   date\n   ```\n"),),
)

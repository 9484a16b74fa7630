"""PE102: a decision that a paste takes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity

_DECISION = re.compile(
    r"(?:step \d+[.:]\s*)?(?:if|only if|only when|when needed|in case)\b"
    r"|.*\b(?:if needed|if necessary|if required|\(if [a-z ]+\))"
    r"|for (?:non-)?[a-z]+able \w+",
    re.IGNORECASE,
)


def _check(document: Document) -> Iterator[Found]:
    for block in document.blocks:
        if not block.shell or block.is_transcript:
            continue
        rows = block.rows
        for row, text in enumerate(rows):
            match = re.match(r"\s*#+\s*(?=\w)", text)
            if match is None or not _DECISION.match(text, match.end()) or not _command_below(rows, row):
                continue
            start = block.starts[row]
            yield Found(
                document.trimmed(start, start + len(text)),
                "whether to run this stands in a comment: a paste runs it in any case",
                "end the fence above it, and write the decision as a step of its own: If …, then a fence",
            )


def _command_below(rows: tuple[str, ...], row: int) -> bool:
    """Tell whether the next line that is no comment is a plain command right below: code with its own `if` has decided."""
    for text in rows[row + 1 :]:
        if not text.strip():
            return False
        if not text.lstrip().startswith("#"):
            return not re.match(r"\s*(?:if|case|\[|test|while|\})", text) and text[:1] not in " \t"
    return False


RULE = Rule(
    code="PE102",
    name="decision-in-a-comment",
    severity=Severity.WARNING,
    summary="A comment in a fence says whether the command below is to be run.",
    explanation=(
        'Comments are not executed and commands are. "If exploit suspected" above a command pauses the contract '
        "for everybody who pastes the fence; two alternatives in one fence are both carried out."
    ),
    silent=(
        "The code below decides itself (`if`, `case`, `[ … ]`), is indented (part of a loop or function), or no "
        "command follows."
    ),
    check=_check,
    bad=(("# Recover\n\n```bash\n⟦# If the release is at fault, roll it back⟧\nhelm rollback shop\n```\n"),),
    good=(
        ("# Recover\n\nIf the release is at fault, roll it back:\n\n```bash\nhelm rollback shop\n```\n"),
        (
            "# Recover\n\n```bash\n# If it is down, start it\n"
            "if ! systemctl is-active shop; then systemctl start shop; fi\n```\n"
        ),
    ),
)

"""DF114: a value to fill in, and no word of where it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Block, Document, Found, Rule, Severity, Span

_PLACEHOLDER = re.compile(r"(?<![<>&\w$(-])<([a-z][a-z0-9]*(?:[ _-][a-z0-9]+)*)>(?![>\w])", re.IGNORECASE)
_OTHER_USE = re.compile(r"</|/>|<!|\bxmlns\b|\[(?:--|<)|<anonymous>")


def _check(document: Document) -> Iterator[Found]:
    told: set[str] = set()
    for block in document.blocks:
        if block.shell != "bash" or not block.language or "<" not in block.text or _OTHER_USE.search(block.text):
            continue
        for name, span in _placeholders(block):
            if name.lower() in told:
                continue
            told.add(name.lower())
            if not _is_explained(document, name):
                yield Found(
                    span,
                    f"nothing in this runbook says where <{name}> comes from",
                    "add the command that shows it, or say where the operator finds it",
                )


def _placeholders(block: Block) -> Iterator[tuple[str, Span]]:
    for match in _PLACEHOLDER.finditer(block.code):
        row = block.code[block.code.rfind("\n", 0, match.start()) + 1 : match.start()]
        if "#" not in row:
            start = block.offset(match.start())
            yield match[1], Span(start, start + len(match[0]))


def _is_explained(document: Document, name: str) -> bool:
    """Tell whether any of the name's longer words stands somewhere outside of angle brackets."""
    words = [word for word in re.split(r"[ _-]", name) if len(word) > 2 and word.lower() not in ("the", "your", "name")]
    if not words:
        return True
    named = re.compile("|".join(rf"{re.escape(word)}(?:e?s)?\b" for word in words), re.IGNORECASE)
    return named.search(_PLACEHOLDER.sub(" ", document.text)) is not None


RULE = Rule(
    code="DF114",
    name="placeholder-without-a-source",
    severity=Severity.HINT,
    summary="A command has a `<placeholder>`, and no step or sentence says how to get the value.",
    explanation=(
        "A value that changes from one incident to the next has to be filled in; the runbook should show the command that "
        "tells it. Pasted as it is, `<name>` is a redirection from a file called `name`."
    ),
    silent=(
        "Any longer word of the placeholder stands somewhere else in the runbook (`kubectl get pods` explains `<pod-name>`); it "
        "is a second use; it stands in a comment; the fence has no language, or shows"
        " markup or a usage text (`[<args>]`)."
    ),
    check=_check,
    bad=("# Block an attacker\n\n```bash\nnft add element inet filter blocked '{ ⟦<address>⟧ }'\n```\n",),
    good=(
        "# Block an attacker\n\nThe alert names the address.\n\n```bash\n"
        "nft add element inet filter blocked '{ <address> }'\n```\n",
        "# Stuck pod\n\n```bash\nkubectl --context prod -n shop get pods\n"
        "kubectl --context prod -n shop delete pod <pod-name>\n```\n",
    ),
)

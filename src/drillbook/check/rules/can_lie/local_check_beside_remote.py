"""CL104: a check of the laptop of whoever runs it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Kind, Rule, Severity

_LOCAL = re.compile(r"(?:https?://)?(?:localhost|127\.0\.0\.1|\[::1\])(?=[:/]|$)")
_REMOTE = re.compile(r"https?://(?!localhost|127\.|\[::1\]|0\.0\.0\.0)[\w-]+\.")


def _check(document: Document) -> Iterator[Found]:
    if "localhost" not in document.text and "127.0.0.1" not in document.text:
        return
    for block in document.blocks:
        calls = [c for c in block.script.commands if c.name in ("curl", "wget") and c.outer is None]
        kinds = document.kinds_at(block.line)
        if Kind.DEVELOPMENT in kinds or re.search(r"port-forward|ssh ", block.text):
            continue
        beside = any(_REMOTE.search(word.text) for call in calls for word in call.arguments)
        if not beside and Kind.PRODUCTION not in kinds:
            continue
        for call in calls:
            for word in call.arguments:
                if _LOCAL.match(word.text.strip("'\"")):
                    yield Found(
                        word.span,
                        "this asks the operator's own machine, not the service",
                        "name the service's own host, or say where this is run: ssh HOST curl …",
                    )


RULE = Rule(
    code="CL104",
    name="local-check-beside-remote",
    severity=Severity.WARNING,
    summary="A check asks localhost beside checks of real hosts, or in a section about production.",
    explanation=(
        "Copied from a developer's notes, the line checks whatever runs on the machine it is typed on: nothing, "
        "and the service is called down; or a dev server, and production is called healthy."
    ),
    silent=("The section is about development or tests, or the fence has `ssh` or a port-forward."),
    check=_check,
    bad=(
        (
            "# Check\n\n```bash\ncurl -fsS --max-time 5 ⟦http://localhost:3000/health⟧\n"
            "curl -fsS --max-time 5 https://shop.example/health\n```\n"
        ),
    ),
    good=(
        ("# Local development\n\n```bash\ncurl -fsS --max-time 5 http://localhost:3000/health\n```\n"),
        (
            "# Production\n\n```bash\n"
            "kubectl -n shop --context prod port-forward deploy/shop 3000 & forward=$!\n"
            'curl -fsS --max-time 5 http://localhost:3000/health\nkill "$forward"\n```\n'
        ),
    ),
)

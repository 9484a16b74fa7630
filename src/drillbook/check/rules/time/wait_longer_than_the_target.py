"""TI111: a wait that is longer than the whole target time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Role, Rule, Severity, SimpleCommand, Span, Word

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_POWERSHELL = re.compile(r"(?i)\bStart-Sleep(?:\s+-s\w*)?\s+(\d+)\b")


def _check(document: Document) -> Iterator[Found]:
    for section in document.sections:
        if not section.targets:
            continue
        for block in document.blocks_of(section):
            targets = [target for target in section.targets if target.line <= block.line]
            if not targets:
                continue
            target = targets[-1]
            for command in block.script.commands:
                word = _waits(command)
                waited = _seconds(word.text) if word else None
                if word is not None and waited is not None and waited > target.seconds:
                    yield _found(word.span, command.name, waited, target.text)
            for match in _POWERSHELL.finditer(block.text) if block.shell == "powershell" else ():
                if float(match[1]) > target.seconds:
                    yield _found(block.span_of(match, 1), "Start-Sleep", float(match[1]), target.text)


def _found(span: Span, name: str, waited: float, target: str) -> Found:
    return Found(
        span,
        f"{name} waits {waited:g} s before it looks again, and the target is “{target}”: it is missed by then",
        "ask every few seconds, until a deadline that the target leaves room for",
    )


def _waits(command: SimpleCommand) -> Word | None:
    if Role.BACKGROUND in command.roles:
        return None
    if command.name == "sleep" and len(command.arguments) == 1:
        return command.arguments[0]
    if command.name == "watch":
        return command.value_of("-n", "--interval")
    return None


def _seconds(text: str) -> float | None:
    match = _DURATION.fullmatch(text)
    return float(match[1]) * _SECONDS[match[2]] if match else None


RULE = Rule(
    code="TI111",
    name="wait-longer-than-the-target",
    severity=Severity.WARNING,
    summary="A single wait takes longer than the section's whole target time.",
    explanation=(
        "A section promises recovery within two minutes and looks every five: even if the first command mends everything, "
        "nobody knows of it in time. The interval of a poll is a small part of the target."
    ),
    silent="The section has no target time above the fence, the wait is a variable or in the background, or it fits in.",
    check=_check,
    bad=(
        "# Outage\n\n**Restore service (< 2 minutes)**\n\n```bash\nfor try in 1 2 3; do\n"
        "  curl -fsS --max-time 5 -o /dev/null https://shop.example/health && break\n  sleep ⟦5m⟧\ndone\n```\n",
        "# Outage\n\n**Restore service (< 2 minutes)**\n\n```powershell\nStart-Sleep ⟦300⟧\n```\n",
    ),
    good=(
        "# Outage\n\n**Restore service (< 2 minutes)**\n\n```bash\nfor try in 1 2 3 4 5; do\n"
        "  curl -fsS --max-time 5 -o /dev/null https://shop.example/health && break\n  sleep 5\ndone\n```\n",
        "# Tidy up\n\n```bash\nsleep 300\n```\n",
    ),
)

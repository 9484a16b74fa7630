"""NE101: a loop that nothing ends."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity, Span

_ALWAYS = re.compile(r"(?:true|:|\[ *1 *\]|\(\( *1 *\)\)|/bin/true)")
_NEVER = re.compile(r"(?:false|\(\( *0 *\)\)|/bin/false)")
_ENDLESS_FOR = re.compile(r"\(\( *;[^;]*?; *\)\)|\(\( *;;[^)]*\)\)")
_LEAVES = re.compile(r"(?<![\w-])(?:break|exit|return|exec|kill)(?![\w-])")
_POWERSHELL = re.compile(r"\bwhile\s*\(\s*(?:\$true|1)\s*\)", re.IGNORECASE)
_POWERSHELL_LEAVES = re.compile(r"(?<![\w-])(?:break|exit|return|throw)(?![\w-])", re.IGNORECASE)
_MESSAGE = "this loop has no end: nobody gets to the next command"
_MEND = "loop until a deadline, count good answers, and exit non-zero when the deadline has passed"


def _check(document: Document) -> Iterator[Found]:
    for block in document.blocks:
        for loop in block.script.loops:
            timed = any("timeout" in c.wrappers and _holds(c.span, loop.span) for c in block.script.commands)
            if not timed and _is_endless(loop.keyword, loop.condition) and not _LEAVES.search(loop.body):
                yield Found(loop.head, _MESSAGE, _MEND)
        if block.shell == "powershell":
            leaves = max((match.start() for match in _POWERSHELL_LEAVES.finditer(block.text)), default=-1)
            for match in _POWERSHELL.finditer(block.text):
                if leaves < match.end():
                    yield Found(block.span_of(match), _MESSAGE, _MEND)


def _is_endless(keyword: str, condition: str) -> bool:
    pattern = {"while": _ALWAYS, "until": _NEVER, "for": _ENDLESS_FOR}[keyword]
    return bool(pattern.fullmatch(condition))


def _holds(outer: Span, inner: Span) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


RULE = Rule(
    code="NE101",
    name="endless-loop",
    severity=Severity.ERROR,
    summary="A loop has no end: the commands below it are never reached.",
    explanation=(
        "`while true` that watches for recovery goes on after recovery. The operator must see by eye that service is back, "
        "press Ctrl-C, and know which line comes next; pasted as a block, what stands below is never run. A loop in a "
        "runbook ends by itself: with success after some good answers, with failure at a deadline."
    ),
    silent=(
        "The body has `break`, `exit`, `return`, `exec` or `kill`; the loop is text that `timeout` runs; the condition is "
        "anything else than a constant."
    ),
    check=_check,
    bad=(
        "# Monitor\n\n```bash\n⟦while true⟧; do\n  curl -fsS --max-time 5 https://shop.example/health\n  sleep 30\ndone\n```\n",
        "# Monitor\n\n```powershell\n⟦while ($true)⟧ {\n  Get-Date\n  Start-Sleep 30\n}\n```\n",
        "# Monitor\n\n```bash\n⟦for ((;;))⟧; do date; sleep 1; done\n```\n",
    ),
    good=(
        "# Monitor\n\n```bash\ndeadline=$((SECONDS + 60))\n"
        "until curl -fsS --max-time 5 -o /dev/null https://shop.example/health; do\n"
        '  [ "$SECONDS" -lt "$deadline" ] || { echo "still down"; exit 1; }\n  sleep 5\ndone\n```\n',
        "# Monitor\n\n```bash\n"
        "timeout 60 bash -c 'while true; do curl -fsS --max-time 5 https://shop.example/health; sleep 1; done'\n```\n",
    ),
)

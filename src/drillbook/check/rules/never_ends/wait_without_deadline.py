"""NE111: a wait for something outside that may never come."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity

_ASKS = re.compile(
    r"(?<![\w./-])(?:curl|wget|nc|ncat|pg_isready|psql|mysql|mysqladmin|redis-cli|kubectl|oc|docker|podman|ssh|ping|aws|gcloud"
    r"|az|systemctl|grpcurl|mongosh|vault|consul|nomad)(?![\w-])"
)
_BOUNDED = re.compile(
    r"(?<![\w-])(?:break|exit|return|exec|kill|read)(?![\w-])|SECONDS|deadline|\(\(|\bdate\b|\bexpr\b|\blet\b|-(?:l|g)[te]\b|[<>]=",
    re.IGNORECASE,
)


def _check(document: Document) -> Iterator[Found]:
    for block in document.blocks:
        for loop in block.script.loops:
            if loop.keyword == "for" or not _ASKS.search(loop.condition):
                continue
            if _BOUNDED.search(loop.condition) or _BOUNDED.search(loop.body):
                continue
            spans = (c.span for c in block.script.commands if "timeout" in c.wrappers or c.name == "timeout")
            if any(span.start <= loop.span.start and loop.span.end <= span.end for span in spans):
                continue
            yield Found(
                loop.head,
                "this waits for ever where what it waits for does not come",
                "timeout 60 bash -c 'until …; do sleep 2; done' || { echo \"still not there\"; exit 1; }",
            )


RULE = Rule(
    code="NE111",
    name="wait-without-deadline",
    severity=Severity.WARNING,
    summary="A loop waits until something answers, and has no deadline.",
    explanation=(
        "`until curl …; do sleep 5; done` ends when all is well. In the incident in which nothing gets well, it keeps the "
        "operator at a screen that says nothing, and the step that says what to do then is not reached."
    ),
    silent=(
        "The condition asks no other system; condition or body counts, compares numbers, looks at the time, or has `break`, "
        "`exit`, `return`, `exec`, `kill` or `read`; or the loop is text that `timeout` runs."
    ),
    check=_check,
    bad=(
        "# Wait\n\n```bash\n⟦until curl -fsS --max-time 5 -o /dev/null https://shop.example/health⟧; do sleep 5; done\n```\n",
        "# Wait\n\n```bash\n⟦while ! pg_isready -q -h db.example⟧\ndo\n  sleep 1\ndone\n```\n",
    ),
    good=(
        "# Wait\n\n```bash\ntimeout 60 bash -c 'until pg_isready -q -h db.example; do sleep 1; done'\n```\n",
        "# Wait\n\n```bash\nfor try in 1 2 3 4 5; do pg_isready -q -h db.example && break; sleep 1; done\n```\n",
        "# Wait\n\n```bash\ntries=0\nuntil pg_isready -q -h db.example; do\n  tries=$((tries + 1))\n"
        '  [ "$tries" -lt 30 ] || exit 1\n  sleep 1\ndone\n```\n',
        '# Each line\n\n```bash\nwhile read -r host; do echo "$host"; done < hosts.txt\n```\n\n`hosts.txt` lies beside this.\n',
    ),
)

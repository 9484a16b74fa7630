"""CL103: a load test that counts error pages as answers."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity


def _check(document: Document) -> Iterator[Found]:
    if "on-2xx" in document.text:
        return
    for command in document.commands("ab"):
        if command.is_last_in_pipeline and command.has("-n", "-t"):
            yield Found(
                command.words[0].span,
                "ab counts a 500 as a completed request and exits 0: a broken service looks fast",
                "keep its output and fail when it has a line Non-2xx responses; -l for answers of different lengths",
            )


RULE = Rule(
    code="CL103",
    name="benchmark-without-status",
    severity=Severity.WARNING,
    summary="`ab` is run and nobody looks at `Non-2xx responses`.",
    explanation=(
        "ApacheBench calls a request failed when the connection breaks or the length differs, not when the status"
        " is 500. One hundred error pages are `Failed requests: 0`, with a good time per request."
    ),
    silent=("The runbook speaks of `Non-2xx` anywhere, or the output goes into a pipe."),
    check=_check,
    bad=(("# Load\n\n```bash\n⟦ab⟧ -n 100 -c 10 https://shop.example/orders\n```\n"),),
    good=(
        (
            "# Load\n\n```bash\n"
            'report=$(ab -l -n 100 -c 10 https://shop.example/orders); echo "$report"; ! grep -q Non-2xx <<<"$report"\n'
            "```\n"
        ),
    ),
    url="https://httpd.apache.org/docs/2.4/programs/ab.html",
)

"""CL102: a check that waits as long as the server likes."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity

_MOVES_DATA = ("-T", "--upload-file", "-O", "--remote-name", "-K", "--config", "-h", "--help", "-V", "--version")


def _check(document: Document) -> Iterator[Found]:
    for command in document.commands("curl"):
        if not command.has("-f", "--fail", "--fail-with-body"):
            continue
        if command.has("-m", "--max-time", "-y", "--speed-time", *_MOVES_DATA) or "timeout" in command.wrappers:
            continue
        if command.setting("-o", "--output") not in (None, "/dev/null") or command.outer is not None:
            continue
        yield Found(
            command.words[0].span,
            "this check has no time limit: a server that hangs is waited for without end",
            "curl -fsS --max-time 10 …",
        )


RULE = Rule(
    code="CL102",
    name="curl-without-time-limit",
    severity=Severity.WARNING,
    summary="A check by `curl -f` has no `--max-time`.",
    explanation=(
        "A server that accepts and never answers is the commonest outage, and curl waits for it for ever; "
        "connecting alone may take 300 seconds. The target time has passed before the check says anything."
    ),
    silent=("It has `--max-time` or `--speed-time`, runs under `timeout`, or moves a file (`-o FILE`, `-O`, `-T`)."),
    check=_check,
    bad=(
        ("# Check\n\n```bash\n⟦curl⟧ -f https://shop.example/health\n```\n"),
        ("# Check\n\n```powershell\n⟦curl⟧ -f https://shop.example/health\n```\n"),
    ),
    good=(
        ("# Check\n\n```bash\ncurl -fsS --max-time 10 https://shop.example/health\n```\n"),
        ("# Get the tool\n\n```bash\ncurl -fsSLO https://downloads.example/tool.tar.gz\n```\n"),
    ),
    url="https://curl.se/docs/manpage.html#-m",
)

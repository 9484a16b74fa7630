"""CL101: an HTTP error that curl calls a success."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.check import Document, Found, Role, Rule, Severity, SimpleCommand

_DECIDES = frozenset({Role.CONDITION, Role.LOOP_CONDITION, Role.BEFORE_AND, Role.BEFORE_OR, Role.NEGATED})


def _check(document: Document) -> Iterator[Found]:
    for command in document.commands("curl"):
        if command.has("-f", "--fail", "--fail-with-body", "-h", "--help", "-V", "--version", "-K", "--config"):
            continue
        if command.has(
            "-w", "--write-out", "-I", "--head", "-i", "--include", "-v", "--verbose", "-D", "--dump-header"
        ):
            continue  # what the server said is shown, or taken apart
        if _is_trusted(command):
            yield Found(
                command.words[0].span,
                "curl exits 0 for a 404, 500 or 503, and its exit code decides here",
                "curl -fsS --max-time 10 …, and look for the words that a healthy answer has",
            )


def _is_trusted(command: SimpleCommand) -> bool:
    """Tell whether success is read from the exit code, not from what curl printed."""
    if not command.is_last_in_pipeline or Role.SUBSTITUTION in command.roles:
        return False
    if _DECIDES.intersection(command.roles):
        return True
    return command.setting("-o", "--output") == "/dev/null" or any(
        redirect.target is not None and redirect.target.text == "/dev/null" and redirect.operator in (">", "&>", "1>")
        for redirect in command.redirects
    )


RULE = Rule(
    code="CL101",
    name="curl-without-fail",
    severity=Severity.ERROR,
    summary="curl without `-f` decides: it calls a 500 a success.",
    explanation=(
        "Without `-f` curl exits 0 whenever it got any answer, be it an error page. As a condition, before `&&` or `||`, or "
        "with its output thrown away, it says *up* while the service answers 503."
    ),
    silent=(
        "The answer is shown, piped on or kept in a variable, so that somebody looks at it; or the status is asked for with "
        "`-w`, `-i`, `-I` or `-v`."
    ),
    check=_check,
    bad=(
        "# Check\n\n```bash\n⟦curl⟧ -s --max-time 5 -o /dev/null https://shop.example/health\n```\n",
        "# Check\n\n```bash\nif ⟦curl⟧ -s --max-time 5 https://shop.example/health; then echo up; else exit 1; fi\n```\n",
    ),
    good=(
        "# Check\n\n```bash\ncurl -fsS --max-time 5 -o /dev/null https://shop.example/health\n```\n",
        "# Check\n\n```bash\ncurl -sS --max-time 5 -o /dev/null -w '%{http_code}\\n' https://shop.example/health\n```\n",
        '# Check\n\n```bash\ncurl -sS --max-time 5 https://shop.example/health | grep -q \'"status":"ok"\' || echo DOWN\n```\n',
    ),
    url="https://curl.se/docs/manpage.html#-f",
)

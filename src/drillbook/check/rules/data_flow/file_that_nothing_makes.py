"""DF101: a file that a command reads and nothing makes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity

_PATH = re.compile(r"[\w.-]+\.(?:txt|dump|sql|tar|gz|bak|fmt|archive)")


def _check(document: Document) -> Iterator[Found]:
    for command in document.commands("curl", "pg_restore"):
        if command.name == "curl":
            asked = command.setting("-w", "--write-out") or ""
            name = asked.strip("'\"")[1:] if asked.strip("'\"").startswith("@") else ""
        else:
            last = command.operands(frozenset({"--dbname", "--jobs", "--host", "--port", "--username"}))
            name = last[-1].value or "" if last and not command.has("-l", "--list") else ""
        if not _PATH.fullmatch(name) or document.text.count(name) > 1:
            continue
        repository = document.options.repository
        if repository is not None and repository.has(name):
            continue
        end = document.line_of(command.span.end) + 1
        effect = (
            "curl warns, prints no figures, and exits 0" if command.name == "curl" else "there is nothing to restore"
        )
        yield Found(
            document.find(name, command.line, end),
            f"no step makes {name}, and the runbook says nowhere where it comes from: {effect}",
            "make it in a step above, or say where it lies",
        )


RULE = Rule(
    code="DF101",
    name="file-that-nothing-makes",
    severity=Severity.WARNING,
    summary="A command reads a file that no step makes and no sentence mentions.",
    explanation=(
        "At the author's desk the file was there. `curl -w @curl-format.txt` without it exits 0 and shows "
        "nothing; `pg_restore` of an archive that nobody makes ends the recovery."
    ),
    silent=(
        "The name stands anywhere else in the runbook, the path has a folder or a variable, or the repository "
        "(`--repo`) has it."
    ),
    check=_check,
    bad=(
        (
            "# Measure\n\n```bash\n"
            "curl -sS --max-time 5 -o /dev/null -w '@⟦curl-format.txt⟧' https://shop.example/health\n```\n"
        ),
    ),
    good=(
        (
            "# Measure\n\n```bash\n"
            "curl -sS --max-time 5 -o /dev/null -w '%{time_total}\\n' https://shop.example/health\n```\n"
        ),
        (
            "# Restore\n\nThe nightly job leaves `latest.dump` in the home folder of `backup`.\n\n```bash\n"
            "pg_restore --exit-on-error -d shop_restored latest.dump\n```\n"
        ),
    ),
)

"""DF111: an archive that is made in one format and restored as another."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity, SimpleCommand, Word

_LONG = frozenset({"--dbname", "--jobs", "--host", "--port", "--username", "--format", "--file", "--table", "--schema"})
_PLAIN_NAME = re.compile(r".*\.sql(?:\.gz)?")


def _check(document: Document) -> Iterator[Found]:
    restores = [c for c in document.commands("pg_restore") if not c.has("--help", "--version", "-V")]
    reads = [command for command in document.commands("psql") if command.has("-f", "--file")]
    if not restores and not reads:
        return
    dumps = {path: command for command in document.commands("pg_dump") if (path := _made(command))}
    for command in restores:
        operands = command.operands(_LONG)
        word = operands[-1] if operands else None
        if word is None:
            continue
        made = dumps.get(word.text.strip("\"'"))
        if (made is not None and _is_plain(made)) or (made is None and _PLAIN_NAME.fullmatch(word.value or "")):
            yield Found(
                word.span,
                "pg_restore reads no SQL text: it ends with “input file appears to be a text format dump”",
                "make it with pg_dump -Fc, or restore it with psql -v ON_ERROR_STOP=1 -f",
            )
    for command in reads:
        named = command.value_of("-f", "--file")
        made = dumps.get((command.setting("-f", "--file") or "").strip("\"'"))
        if named is not None and made is not None and made.has("-F", "--format") and not _is_plain(made):
            yield Found(
                named.span,
                "psql reads SQL text, and this was made as an archive of another format",
                "restore it with pg_restore --exit-on-error --single-transaction -d DATABASE",
            )


def _made(command: SimpleCommand) -> str | None:
    """Give the file that a dump writes, as written, None if that is piped on or shown."""
    told = command.setting("-f", "--file")
    if told is None:
        targets: list[Word] = [one.target for one in command.redirects if one.operator in (">", "1>") and one.target]
        told = targets[0].text if targets and command.is_last_in_pipeline else None
    return told.strip("\"'") if told else None


def _is_plain(command: SimpleCommand) -> bool:
    form = command.setting("-F", "--format")
    return form is None or form.strip("\"'") in ("p", "plain")


RULE = Rule(
    code="DF111",
    name="archive-of-another-format",
    severity=Severity.ERROR,
    summary="A dump is made in one format and restored as another.",
    explanation=(
        "`pg_dump` writes SQL text unless `-F` says otherwise, and `pg_restore` reads only the other formats: it refuses the "
        "text. `psql -f` in turn refuses an archive. Nobody notices until the day of the restore."
    ),
    silent=(
        "The file restored is not one that the runbook makes, and not called `.sql` or `.sql.gz`; its name is put together "
        "differently in the two places; it comes through a pipe."
    ),
    check=_check,
    bad=(
        "# Restore\n\n```bash\npg_dump -h db.example -f shop.dump shop || exit 1\n"
        "pg_restore -h db.example --exit-on-error -d shop_restored ⟦shop.dump⟧\n```\n",
        "# Restore\n\nThe nightly job makes `shop.sql`.\n\n```bash\n"
        "pg_restore -h db.example --exit-on-error -d shop_restored ⟦shop.sql⟧\n```\n",
        "# Restore\n\n```bash\npg_dump -h db.example -Fc -f shop.dump shop || exit 1\n"
        "psql -h db.example -v ON_ERROR_STOP=1 -d shop_restored -f ⟦shop.dump⟧\n```\n",
    ),
    good=(
        "# Restore\n\n```bash\npg_dump -h db.example -Fc -f shop.dump shop || exit 1\n"
        "pg_restore -h db.example --exit-on-error -d shop_restored shop.dump\n```\n",
        "# Restore\n\n```bash\npg_dump -h db.example -f shop.sql shop || exit 1\n"
        "psql -h db.example -v ON_ERROR_STOP=1 -d shop_restored -f shop.sql\n```\n",
    ),
    url="https://www.postgresql.org/docs/current/app-pgdump.html",
)

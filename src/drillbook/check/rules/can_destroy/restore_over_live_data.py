"""CD101: a restore that drops tables first and may then fail."""

from __future__ import annotations

from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity


def _check(document: Document) -> Iterator[Found]:
    for command in document.commands("pg_restore"):
        if not command.has("-c", "--clean") or command.has("-1", "--single-transaction"):
            continue
        if command.has("-d", "--dbname"):
            yield Found(
                (command.find("-c", "--clean") or command.words[0]).span,
                "the tables are dropped first: if the archive then fails, they stay empty",
                "restore into a new database with --exit-on-error --single-transaction, verify it, and rename",
            )


RULE = Rule(
    code="CD101",
    name="restore-over-live-data",
    severity=Severity.ERROR,
    summary="`pg_restore --clean` acts on a database without a single transaction.",
    explanation=(
        "A truncated archive passes `--list`. Restored with `--clean`, each table is dropped and made anew as the"
        " archive is read; where it breaks off, the rest of the data is gone. With `--single-transaction` it "
        "stays."
    ),
    silent=("`--single-transaction` (`-1`) is given, or the output goes to a file (no `-d`)."),
    check=_check,
    bad=(
        (
            "# Restore\n\n```bash\npg_restore ⟦--clean⟧ --if-exists -d shop backup.dump\n```\n\n"
            "The nightly job makes `backup.dump`.\n"
        ),
    ),
    good=(
        (
            "# Restore\n\n```bash\ncreatedb shop_restored\n"
            "pg_restore --exit-on-error --single-transaction -d shop_restored backup.dump\n```\n\n"
            "The nightly job makes `backup.dump`.\n"
        ),
    ),
    url="https://www.postgresql.org/docs/current/app-pgrestore.html",
)

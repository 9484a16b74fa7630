"""WT111: a production database that is looked for on the operator's machine."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity, SimpleCommand, Word

_TOOLS = ("psql", "pg_dump", "pg_restore", "dropdb", "createdb", "vacuumdb", "mysql", "mysqldump", "mysqladmin")
_LONG = frozenset(
    {"--dbname", "--username", "--port", "--file", "--format", "--jobs", "--command", "--variable", "--user"}
)
_PRODUCTION = re.compile(r"[\"']?(?:[\w-]*[_-])?(?:prod|production|live)(?:[_-][\w-]*)?[\"']?")
_TOLD = re.compile(
    r"PGHOST|PGSERVICE|PGHOSTADDR|MYSQL_HOST|\.my\.cnf|pg_service|postgres(?:ql)?://|\bhost=|\bssh\b|port-forward|tunnel"
    r"|jump ?host|bastion|kubectl exec|docker exec|compose exec|log(?:ged)? (?:in|on|into)"
    r"|on the (?:database |db )?(?:server|host|machine|primary)",
    re.IGNORECASE,
)


def _check(document: Document) -> Iterator[Found]:
    commands = [command for command in document.commands(*_TOOLS) if command.language == "bash"]
    if not commands or _TOLD.search(document.text):
        return
    for command in commands:
        if (
            command.outer is not None
            or command.wrappers.count("sudo")
            or command.has("-h", "--host", "--help", "--login-path")
        ):
            continue
        word = _database(command)
        if word is not None and _PRODUCTION.fullmatch(word.text):
            yield Found(
                word.span,
                f"no host is given: {command.name} looks for {word.text} on the machine that this is typed on",
                f"{command.name} -h HOST …, or say which PGHOST the operator's shell has",
            )


def _database(command: SimpleCommand) -> Word | None:
    named = command.value_of("-d", "--dbname") if not command.name.startswith("mysql") else None
    if named is not None:
        return named
    if command.name == "pg_restore":
        return None
    operands = command.operands(_LONG)
    return operands[0] if operands else None


RULE = Rule(
    code="WT111",
    name="production-database-without-host",
    severity=Severity.WARNING,
    summary="A command names a production database and no host: it asks the operator's own machine.",
    explanation=(
        "Without `-h` and `PGHOST` the PostgreSQL tools use the socket of the machine at hand. On a laptop the backup fails "
        "with “connection refused”; on the wrong server it saves the wrong database, and says nothing."
    ),
    silent=(
        "The runbook says anywhere where the database is: a host, `PGHOST`, a service file, a URL, `ssh`, a tunnel, a container, "
        "“log in to the server”; the command runs under `sudo`; or the name does not say that it is production."
    ),
    check=_check,
    bad=(
        "# Back up\n\n```bash\npg_dump -Fc -f shop.dump ⟦production_db⟧ || exit 1\n```\n",
        "# Look\n\n```bash\npsql -d ⟦shop_prod⟧ -c 'SELECT count(*) FROM orders'\n```\n",
    ),
    good=(
        "# Back up\n\n```bash\npg_dump -h db.example -Fc -f shop.dump production_db || exit 1\n```\n",
        "# Look\n\nThe operator's shell has `PGHOST`.\n\n```bash\npsql -d shop_prod -c 'SELECT count(*) FROM orders'\n```\n",
    ),
    url="https://www.postgresql.org/docs/current/libpq-envars.html",
)

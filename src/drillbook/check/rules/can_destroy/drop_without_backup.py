"""CD112: data dropped, and no word of a backup before it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Block, Document, Found, Kind, Rule, Severity, Span

_DROP = re.compile(
    r"(?<![\w-])(?:DROP[ \t]+(?:DATABASE|SCHEMA|TABLE|KEYSPACE)|TRUNCATE(?:[ \t]+TABLE)?)[ \t]+(?:IF[ \t]+EXISTS[ \t]+)?"
    r"[`\"\\]*(?P<name>[\w.$]+)",
    re.IGNORECASE,
)
_RUNS_SQL = frozenset(
    {"psql", "mysql", "mariadb", "sqlite3", "cqlsh", "cockroach", "docker", "kubectl", "clickhouse-client"}
)
_SAVED = re.compile(r"back(?:ed)?[ -]?up|snapshot|_?dump|\brestor|archive|replica|export", re.IGNORECASE)
_SPARE = re.compile(
    r"re?stor|temp|tmp|test|scratch|side|old|before|retired|shadow|staging|copy|demo|example", re.IGNORECASE
)


def _check(document: Document) -> Iterator[Found]:
    lowered = document.text.lower()
    if "drop" not in lowered and "truncate" not in lowered:
        return
    saved = _SAVED.search(document.text)
    for block in document.blocks:
        if Kind.DEVELOPMENT in document.kinds_at(block.line) or Kind.STAGING in document.kinds_at(block.line):
            continue
        for span, name in _drops(block):
            if _SPARE.search(name) or (saved and saved.end() <= span.start):
                continue
            yield Found(
                span,
                f"{name} is gone for good: no step above makes a backup, and none says that there is one",
                "make a backup and look at it first, or rename it and drop it when all is well",
            )


def _drops(block: Block) -> Iterator[tuple[Span, str]]:
    if block.language in ("sql", "postgresql", "mysql", "psql"):
        for match in _DROP.finditer(block.text):
            row = block.text[block.text.rfind("\n", 0, match.start()) + 1 : match.start()]
            if "--" not in row:
                yield block.span_of(match), match["name"]
        return
    for command in block.script.commands:
        if command.name == "dropdb":
            operands = command.operands(frozenset({"--host", "--port", "--username", "--maintenance-db"}))
            if operands and not command.has("-h", "-p", "-U", "--help"):
                yield command.words[0].span, operands[-1].text
        elif command.name in _RUNS_SQL:
            for word in command.arguments:
                if found := _DROP.search(word.text):
                    start = word.span.start + found.start()
                    yield Span(start, start + len(found[0])), found["name"]


RULE = Rule(
    code="CD112",
    name="drop-without-backup",
    severity=Severity.WARNING,
    summary="Data is dropped, and nothing above speaks of a backup.",
    explanation=(
        "`DROP` and `TRUNCATE` ask nobody and cannot be taken back. At the time when they are typed, the only question is "
        "whether there is a copy, and the runbook does not answer it."
    ),
    silent=(
        "A backup, dump, snapshot, archive, export or replica is spoken of anywhere above; the name says that it is a spare "
        "(`…_restored`, `tmp_…`, `…_old`); the section is about development, tests or staging; the SQL is in a file."
    ),
    check=_check,
    bad=(
        "# Stuck queue\n\n```bash\npsql -h db.example -d shop -c '⟦TRUNCATE TABLE jobs⟧'\n```\n",
        "# Wrong schema\n\n```sql\n⟦DROP TABLE orders⟧;\n```\n",
    ),
    good=(
        "# Stuck queue\n\n```bash\npg_dump -h db.example -Fc -t jobs -f jobs.dump shop || exit 1\n"
        "psql -h db.example -d shop -c 'TRUNCATE TABLE jobs'\n```\n",
        "# Tidy\n\n```bash\npsql -h db.example -d postgres -c 'DROP DATABASE IF EXISTS shop_restored'\n```\n",
    ),
)

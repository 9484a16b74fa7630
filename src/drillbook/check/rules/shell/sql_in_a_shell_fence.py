"""SH111: SQL that a shell is given."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drillbook.check import Document, Found, Rule, Severity

_SQL = re.compile(
    r"^[ \t]*(?P<verb>SELECT(?=[ \t]+[\w*\"(])|EXPLAIN(?=[ \t]+(?:ANALYZE|SELECT|\())|INSERT[ \t]+INTO|DELETE[ \t]+FROM"
    r"|UPDATE(?=[ \t]+[\w\".]+[ \t]+SET\b)|(?:ALTER|DROP|TRUNCATE)[ \t]+(?:TABLE|DATABASE|SYSTEM|INDEX|SCHEMA|ROLE|USER)"
    r"|CREATE[ \t]+(?:UNIQUE[ \t]+)?(?:TABLE|DATABASE|INDEX|SCHEMA|ROLE|USER|EXTENSION)"
    r"|VACUUM(?:[ \t]+(?:FULL|ANALYZE))?(?=[ \t;]|$)"
    r"|REINDEX[ \t]+(?:TABLE|INDEX|DATABASE)|GRANT(?=[ \t]+\w+[ \t]+ON\b)|SHOW[ \t]+(?:TABLES|PROCESSLIST|SLAVE|REPLICA))",
    re.MULTILINE,
)
_CLIENT = re.compile(
    r"psql|mysql|mariadb|sqlite|cqlsh|cockroach|clickhouse|duckdb|snowsql|sqlplus|sqlcmd|bq\b|hive|presto|trino"
    r"|impala|dbshell|dbconsole|<<|rails|\bsql\b|isql|['\"`]",
    re.IGNORECASE,
)


def _check(document: Document) -> Iterator[Found]:
    for block in document.blocks:
        if block.shell != "bash" or not block.language or block.is_transcript:
            continue
        for match in _SQL.finditer(block.text):
            if _CLIENT.search(block.text, 0, match.start()):
                break
            yield Found(
                block.span_of(match, "verb"),
                f"this fence is the shell's, and it knows no command {match['verb'].split()[0]}",
                "psql -v ON_ERROR_STOP=1 -d DATABASE -c '…', or a fence of sql that says which database it is for",
            )
            break


RULE = Rule(
    code="SH111",
    name="sql-in-a-shell-fence",
    severity=Severity.WARNING,
    summary="A line of SQL stands in a shell's fence, and no client is started that would take it.",
    explanation=(
        "Pasted, it is “command not found” or, with a parenthesis in it, a syntax error. The author was in the client already; "
        "the operator has to know in which, of which database, and as whom."
    ),
    silent=(
        "A database client, a here-document or a quotation mark stands above it in the fence; the fence has no language or "
        "shows a session with prompts; the words are not in capitals. One finding a fence."
    ),
    check=_check,
    bad=(
        "# Slow queries\n\n```bash\n# Who waits?\n⟦SELECT⟧ pid, query FROM pg_stat_activity;\n```\n",
        "# Bloat\n\n```bash\n⟦VACUUM ANALYZE⟧ orders;\n```\n",
    ),
    good=(
        "# Slow queries\n\n```sql\nSELECT pid, query FROM pg_stat_activity WHERE wait_event_type = 'Lock';\n```\n",
        "# Slow queries\n\n```bash\npsql -h db.example -d shop -c '\nSELECT pid, query\n  FROM pg_stat_activity'\n```\n",
        "# Bloat\n\n```bash\npsql -h db.example -d shop <<SQL\nVACUUM ANALYZE orders;\nSQL\n```\n",
    ),
)

"""What makes the database slow, by name: a missing index, a query over its bound, a session that blocks others, a full server.

Run as `python -m ops.check_db_performance` with libpq's variables. Exit 0: nothing; 1: something, said in words; 2: the database
cannot be asked. With `--missing-indexes` it prints the statements that make the missing indexes anew, and nothing else.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg

MIGRATIONS = Path(__file__).parents[1] / "database"
INDEX = re.compile(r"^create (?:unique )?index (\w+) on (\w+) [^;]+;", re.MULTILINE)
ROUND_TRIP = 0.05
"""Seconds: a database in the same data centre answers in a thousandth."""
QUERY = 0.06
BUSY = 0.9
"""The share of connections from which on the server is full."""
QUERIES = {
    "the list of orders": """
        select o.*, (select p.usd from price_ticks as p
                     where p.token = o.sell_token and p.at <= o.created_at order by p.at desc limit 1) as usd
        from orders as o order by o.id desc limit 50""",
    "the open orders": "select * from orders where status = 'open' order by id desc limit 50",
    "one order": "select * from orders where id = 100",
}
BLOCKED = """
    select blocked.pid, left(blocked.query, 60), blocker.pid, blocker.state
    from pg_stat_activity as blocked
    join pg_stat_activity as blocker on blocker.pid = any(pg_blocking_pids(blocked.pid)) order by 1"""
CONNECTIONS = """
    select count(*), current_setting('max_connections')::int from pg_stat_activity where backend_type = 'client backend'"""
Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `bad` where it is a reason for slowness."""

    text: str
    bad: bool


def missing_indexes(connection: Connection) -> dict[str, str]:
    """Give the declared indexes that the database does not have: name -> the statement that makes it."""
    text = "\n".join(file.read_text() for file in sorted(MIGRATIONS.glob("*.sql")))
    declared = {found[1]: " ".join(found[0].split()) for found in INDEX.finditer(text)}
    there = {name for (name,) in connection.execute("select indexname from pg_indexes where schemaname = 'public'")}
    return {name: statement for name, statement in declared.items() if name not in there}


def look(connection: Connection) -> Iterator[Finding]:
    """Give what is found, the round trip first."""
    began = perf_counter()
    connection.execute("select 1")
    took = perf_counter() - began
    yield Finding(f"round trip: {took * 1000:.0f} ms", took > ROUND_TRIP)
    for name, statement in missing_indexes(connection).items():
        yield Finding(f"index {name} is missing ({statement.rstrip(';')})", True)
    for name, query in QUERIES.items():
        yield _explained(connection, name, query)
    for blocked, query, blocker, state in connection.execute(BLOCKED).fetchall():
        yield Finding(f"session {blocked} ({query}) waits for session {blocker}, which is {state}", True)
    row = connection.execute(CONNECTIONS).fetchone()
    if row:
        yield Finding(f"connections: {row[0]} of {row[1]}", row[0] >= BUSY * row[1])


def _explained(connection: Connection, name: str, query: str) -> Finding:
    row = connection.execute(f"explain (analyze, format json) {query}".encode()).fetchone()
    plan = row[0][0] if row else {}
    seconds = (plan["Planning Time"] + plan["Execution Time"]) / 1000
    scanned = sorted(set(_sequential(plan["Plan"])))
    how = f", which reads the whole of {', '.join(scanned)}" if scanned and seconds > QUERY else ""
    return Finding(f"{name}: {seconds * 1000:.0f} ms{how}", seconds > QUERY)


def _sequential(plan: dict[str, Any]) -> Iterator[str]:
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for below in plan.get("Plans", []):
        yield from _sequential(below)


def main(arguments: Sequence[str] | None = None) -> int:
    """Look, and report."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.check_db_performance", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--missing-indexes", action="store_true", help="print what makes the missing indexes anew")
    given = parser.parse_args(arguments)
    database = os.environ.get("PGDATABASE", "production_db")
    try:
        with psycopg.connect(
            dbname=database, connect_timeout=5, autocommit=True, options="-c statement_timeout=5000"
        ) as connection:
            if given.missing_indexes:
                for statement in missing_indexes(connection).values():
                    print(statement.replace(" index ", " index concurrently ", 1))
                return 0
            found = list(look(connection))
    except psycopg.Error as error:
        print(f"check_db_performance: {database}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    for finding in found:
        print(f"{'SLOW' if finding.bad else 'ok'}  {finding.text}")
    return 1 if any(finding.bad for finding in found) else 0


if __name__ == "__main__":
    sys.exit(main())

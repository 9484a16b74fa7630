"""Tell how the database stands: the server and its connections, its tables, the rows that should be in them, who waits for whom.

Run as `python -m ops.check_database` with libpq's variables; the database is PGDATABASE, else production_db. Exit 0: all is
well; 1: something is not, and it is named.
"""

from __future__ import annotations

import sys
from typing import LiteralString

import psycopg

from ops.check_db_connection import connected, server, tables
from ops.looking import Broken, look_at, one_line

HELD: tuple[LiteralString, ...] = ("orders", "trades", "incidents")
"""The tables whose every row the ledger has."""
LOST: LiteralString = """
    select (select count(*) from {table}), count(*)
    from ledger left join {table} on {table}.id = row_id where table_name = '{table}' and {table}.id is null"""
WAITING = """
    select waiting.pid, blocker.pid, coalesce(nullif(blocker.application_name, ''), 'unnamed'), blocker.state
    from pg_stat_activity as waiting join pg_stat_activity as blocker on blocker.pid = any(pg_blocking_pids(waiting.pid))
    where waiting.datname = current_database() and clock_timestamp() - waiting.query_start > interval '200 ms'
    order by 1"""
SIZE = "select pg_size_pretty(pg_database_size(current_database()))"


def rows() -> str:
    """Count each table's rows, and see that none is gone that was ever entered."""
    found, lost = [], []
    with connected() as connection:
        for name in HELD:
            try:
                there, gone = connection.execute(LOST.replace("{table}", name)).fetchall()[0]
            except psycopg.Error as error:
                raise Broken(f"{name} cannot be counted: {one_line(error)}") from None
            found.append(f"{there} {name}")
            lost += [f"{gone} {name}"] if gone else []
        size = connection.execute(SIZE).fetchall()[0][0]
    if lost:
        raise Broken(f"{', '.join(lost)} are lost: the ledger has them, their tables do not")
    return f"{', '.join(found)}, {size}"


def locks() -> str:
    """See that no session waits for another's transaction."""
    with connected() as connection:
        waits = connection.execute(WAITING).fetchall()
    if waits:
        pid, blocker, name, state = waits[0]
        others = f", and {len(waits) - 1} more" if len(waits) > 1 else ""
        raise Broken(f"session {pid} waits for session {blocker} ({name}, {state}){others}")
    return "nobody waits"


def main() -> int:
    """Look at all of it at once."""
    return look_at({"database": server, "tables": tables, "rows": rows, "locks": locks})


if __name__ == "__main__":
    sys.exit(main())

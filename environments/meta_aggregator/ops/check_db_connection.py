"""Look at the database as an application meets it: connect, read every table, write, and see how full it is.

Connects as psql does (PGHOST, PGPORT, PGUSER, PGPASSWORD); the database is PGDATABASE, else production_db. Run as
`python -m ops.check_db_connection`. Exit 0: all is well; 1: something is not, and it is named.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from ops.looking import SECONDS, Broken, look_at, one_line

DATABASE = os.environ.get("PGDATABASE", "production_db")
TABLES = ("orders", "trades", "incidents", "ledger")
SLOTS = """
    select count(*) filter (where usename = current_user), count(*) filter (where state = 'idle in transaction'),
           least(nullif((select rolconnlimit from pg_roles where rolname = current_user), -1),
                 current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                 - coalesce(current_setting('reserved_connections', true)::int, 0))
    from pg_stat_activity where backend_type = 'client backend'"""
FULL = 0.9
"""The share of its connections that a role may use before somebody should look."""


@contextmanager
def connected() -> Iterator[psycopg.Connection[Any]]:
    """Connect; raise Broken for whatever the server or the way to it refuses."""
    half = max(1, round(SECONDS * 500))  # ms: a lock is told of before the look's own time is up
    options = f"-c statement_timeout={half} -c lock_timeout={half}"
    try:
        with psycopg.connect(dbname=DATABASE, connect_timeout=5, autocommit=True, options=options) as connection:
            yield connection
    except psycopg.errors.LockNotAvailable:
        raise Broken("locked: somebody holds it in an open transaction") from None
    except psycopg.errors.UndefinedTable:
        raise Broken("missing") from None
    except psycopg.Error as error:
        raise Broken(one_line(error)) from None


def answers_queries() -> str:
    """See that the server reads the table that matters."""
    with connected() as connection:
        connection.execute("select from orders limit 1")
    return ""


def server() -> str:
    """Connect, see that the server takes writes, give its version and how many of the role's connections are used."""
    with connected() as connection:
        used, idle, allowed = connection.execute(SLOTS).fetchall()[0]
        with connection.transaction(force_rollback=True):
            connection.execute("create temporary table written as select 1")
        version = connection.info.server_version // 10_000
    if used >= allowed * FULL:
        raise Broken(f"{used} of {allowed} connections are used, {idle} of them idle in a transaction")
    return f"PostgreSQL {version}, {used} of {allowed} connections used"


def table(name: str) -> str:
    """See that a table can be read."""
    with connected() as connection:
        connection.execute(sql.SQL("select from {} limit 1").format(sql.Identifier(name)))
    return ""


def main() -> int:
    """Look at the server and at each table at once."""
    tables = {f"table {name}": (lambda name=name: table(name)) for name in TABLES}
    return look_at({"database": server, **tables})


if __name__ == "__main__":
    sys.exit(main())

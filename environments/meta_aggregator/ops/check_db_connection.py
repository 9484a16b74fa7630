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
    statement, lock = round(SECONDS * 500), round(SECONDS * 100)  # ms: a locked table is told of before time is up
    options = f"-c statement_timeout={statement} -c lock_timeout={lock}"
    try:
        with psycopg.connect(dbname=DATABASE, connect_timeout=5, autocommit=True, options=options) as connection:
            yield connection
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


def tables() -> str:
    """Read from every table, and say of each that cannot be read why."""
    broken = []
    with connected() as connection:
        for name in TABLES:
            try:
                connection.execute(sql.SQL("select from {} limit 1").format(sql.Identifier(name)))
            except psycopg.errors.LockNotAvailable:
                broken.append(f"{name} is locked by a transaction that is open")
            except psycopg.errors.UndefinedTable:
                broken.append(f"{name} is missing")
    if broken:
        raise Broken("; ".join(broken))
    return ", ".join(TABLES)


if __name__ == "__main__":
    sys.exit(look_at({"database": server, "tables": tables}))

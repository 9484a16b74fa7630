"""What the faults of the database share: sessions, identifiers, and errors in our own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from drillbook.backends.base import Environment
from drillbook.errors import EnvironmentFailed, UnsupportedFault

if TYPE_CHECKING:
    import psycopg

LOCK_TIMEOUT = "SET lock_timeout = '5s'"
"""A fault must not wait for ever behind another session's lock."""


@contextmanager
def superuser(environment: Environment, service: str | None) -> Iterator[psycopg.Connection[Any]]:
    """Connect as superuser, autocommit; what Postgres refuses in the block is raised as EnvironmentFailed."""
    with postgres_errors(), environment.database(service) as connection:
        connection.execute(LOCK_TIMEOUT)
        yield connection


@contextmanager
def postgres_errors() -> Iterator[None]:
    """Raise EnvironmentFailed with the words of Postgres for what it refuses in the block."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise EnvironmentFailed(f"Postgres refused: {' '.join(str(error).split())}") from error


def operator_session(environment: Environment, service: str | None, name: str) -> psycopg.Connection[Any]:
    """Open a session as the operator's role (PGUSER), in no transaction yet, with `name` as its application_name.

    The system's own role, not a superuser's session: only so can the runbook's remedies (`pg_terminate_backend`) end it.
    """
    import psycopg

    role = environment.variables.get("PGUSER")
    if not role:
        raise UnsupportedFault(
            "the fault needs a session of the operator's role", mend="set PGUSER under operator.variables"
        )
    with environment.database(service) as administrator:
        server = administrator.info
        return psycopg.connect(
            host=server.host,
            port=server.port,
            dbname=server.dbname,
            user=role,
            password=environment.variables.get("PGPASSWORD"),
            application_name=name,
            connect_timeout=5,
            options="-c idle_in_transaction_session_timeout=0",
        )


def identifier(name: str, connection: psycopg.Connection[Any]) -> str:
    """Quote a table's name, with or without its schema (`orders`, `public.orders`)."""
    from psycopg import sql

    return sql.Identifier(*name.split(".")).as_string(connection)

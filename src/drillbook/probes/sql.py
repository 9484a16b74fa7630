"""The SQL probe: does the database answer a query with the expected value?

Every look connects anew, so that a server which turns new sessions away is not called healthy, and so that no
probe's session is in the way when a runbook drops, restores or clones the database.
"""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drillbook.probes.network import one_line, timed_out

if TYPE_CHECKING:
    import psycopg


@dataclass(slots=True)
class SqlProbe:
    """Run `query` at `dsn` (a libpq connection string); good if the first value is `expect`, or true if that is None.

    Connecting and querying together have `timeout` seconds; the server is told to give the statement up then, too.
    """

    name: str
    dsn: str
    query: str
    expect: object = None
    timeout: float = 1.0

    async def look(self) -> str:
        """Give "" or what was wrong with the connection, the query or its value."""
        import psycopg

        ends = asyncio.get_running_loop().time() + self.timeout
        try:
            async with asyncio.timeout_at(ends):
                connection = await self._connect()
            async with connection:
                row = await self._first_row(connection, ends)
        except (TimeoutError, psycopg.errors.QueryCanceled, psycopg.errors.ConnectionTimeout):
            return timed_out(self.timeout)
        except psycopg.Error as error:
            return one_line(error)
        return self._judge(row)

    async def close(self) -> None:
        """Close nothing: no look leaves a connection behind."""

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        import psycopg

        options = f"-c statement_timeout={max(1, round(self.timeout * 1000))}"
        return await psycopg.AsyncConnection.connect(
            self.dsn, autocommit=True, gssencmode="disable", options=options, application_name="drillbook-probe"
        )

    async def _first_row(self, connection: psycopg.AsyncConnection[Any], ends: float) -> tuple[Any, ...] | None:
        # Cancelling an asyncio task makes psycopg ask the server to cancel, for up to 5 s if the server is frozen.
        # Cutting the socket instead ends the query at once, and only this look.
        import psycopg

        cut = asyncio.get_running_loop().call_at(ends, _cut, connection)
        try:
            return await (await connection.execute(self.query.encode())).fetchone()
        except psycopg.OperationalError as error:
            if asyncio.get_running_loop().time() >= ends:
                raise TimeoutError from error
            raise
        finally:
            cut.cancel()

    def _judge(self, row: tuple[Any, ...] | None) -> str:
        if not row:
            return "query gave no row"
        if self.expect is None:
            return "" if row[0] else f"query gave {row[0]!r}, expected a true value"
        return "" if row[0] == self.expect else f"query gave {row[0]!r}, expected {self.expect!r}"


def _cut(connection: psycopg.AsyncConnection[Any]) -> None:
    with socket.socket(fileno=os.dup(connection.fileno())) as copy:
        copy.shutdown(socket.SHUT_RDWR)

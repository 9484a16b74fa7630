"""The way to Postgres: a pool that never waits longer than it says, and is whole again as soon as Postgres is.

psycopg's pool alone is too patient for that: it backs off for up to minutes between attempts to connect, sleeps for a
second on a connection that proves dead, and cannot cut short a query whose link has gone silent. So: each wait for a
connection asks anew every tenth of a second (which makes the pool try at once), a dead connection is thrown away and
the next one taken, and a query that outlives its deadline has its socket shut down.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

Connection = psycopg.AsyncConnection[DictRow]

WAIT = 1.0
"""Seconds that a request waits for a connection before it is answered with 503."""
DEADLINE = 2.5
"""Seconds after which a request's use of a connection is cut: above the server's own limit, for a silent link."""
CONNECTION_OPTIONS = {
    "options": "-c statement_timeout=2000 -c idle_in_transaction_session_timeout=5000",
    "connect_timeout": 2,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "application_name": "orders-api",
}
ASK_ANEW = 0.1
ALIVE_WITHIN = 0.5


class Unavailable(Exception):
    """No connection could be had in time; says the last reason why connecting failed."""


class Database:
    """A pool of at most `size` connections."""

    def __init__(self, url: str, size: int = 5) -> None:
        self._refusal = ""
        self._used_ms = 0.0
        self._pool = AsyncConnectionPool(
            url,
            connection_class=self._remembering(),
            kwargs={**CONNECTION_OPTIONS, "row_factory": dict_row, "autocommit": True},
            min_size=1,
            max_size=size,
            open=False,
            reconnect_timeout=ASK_ANEW,
        )

    async def open(self) -> None:
        """Begin to connect; return at once, whether Postgres is there or not."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close(timeout=0.5)

    def statistics(self) -> dict[str, int]:
        """Give the pool's own counters, and for how long its connections were lent altogether, in ms."""
        return {**self._pool.get_stats(), "usage_ms": round(self._used_ms)}

    @asynccontextmanager
    async def connection(self, *, wait: float = WAIT, deadline: float = DEADLINE) -> AsyncIterator[Connection]:
        """Lend a live connection for at most `deadline` seconds.

        Raises Unavailable after `wait` seconds without one, psycopg.OperationalError when the deadline cuts it.
        """
        clock = asyncio.get_running_loop().time
        connection, taken = await self._take(clock() + wait)
        try:
            with cut_after(connection, deadline):
                yield connection
        finally:
            self._used_ms += (clock() - taken) * 1000
            await self._pool.putconn(connection)

    async def _take(self, until: float) -> tuple[Connection, float]:
        """Give a live connection and when it was taken out of the pool."""
        loop = asyncio.get_running_loop()
        while True:
            left = until - loop.time()
            if left <= 0:
                raise Unavailable(self._refusal or "every connection of the pool is in use")
            try:
                connection = await self._pool.getconn(timeout=min(ASK_ANEW, left))
            except PoolTimeout:
                continue
            taken = loop.time()
            if await self._alive(connection, min(ALIVE_WITHIN, max(0.05, until - loop.time()))):
                self._refusal = ""
                return connection, taken
            await self._pool.putconn(connection)

    async def _alive(self, connection: Connection, within: float) -> bool:
        try:
            with cut_after(connection, within):
                await connection.execute("")
        except psycopg.Error as error:
            self._refusal = one_line(error)
            return False
        except asyncio.CancelledError:
            await self._pool.putconn(connection)
            raise
        return True

    def _remembering(self) -> type[Connection]:
        """Make a connection class that notes why it could not connect: the pool only logs that."""
        database = self

        class Remembering(psycopg.AsyncConnection[DictRow]):
            @classmethod
            async def connect(cls, *arguments: Any, **options: Any) -> Any:
                try:
                    return await super().connect(*arguments, **options)
                except psycopg.OperationalError as error:
                    database._refusal = one_line(error)
                    raise

        return Remembering


@contextmanager
def cut_after(connection: Connection, seconds: float) -> Iterator[None]:
    """Shut a connection's socket down if the block takes longer: what waits on it fails with OperationalError."""
    timer = asyncio.get_running_loop().call_later(seconds, _cut, connection)
    try:
        yield
    finally:
        timer.cancel()


def _cut(connection: Connection) -> None:
    if not connection.closed:
        with socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)


def one_line(error: BaseException) -> str:
    """Give an error's text on one line."""
    return " ".join(str(error).split()) or type(error).__name__

"""Which of the API's dependencies answer, within a second whatever hangs.

All are asked at once, each with its own limit. Callers who come while a check runs share it, and its result is good for
a tenth of a second, so that many probes cost no more than one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import psycopg

from services.escrow import ChainError
from services.orders_api.database import Database, Unavailable, one_line
from services.orders_api.outside import Outside, OutsideError, RateLimited

LIMIT = 0.8
"""Seconds that each dependency has to answer; half of it for a connection and half for its query, at the database."""
FRESH = 0.1
VITAL = ("database", "chain")
"""Without one of these no order can be taken; without the others only quotes are worse."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """How one dependency answered: `status` is ok, rate-limited or down."""

    status: str
    latency_ms: float
    error: str | None


@dataclass(frozen=True, slots=True)
class Health:
    """All of them, by name."""

    dependencies: dict[str, Dependency]

    @property
    def down(self) -> list[str]:
        """The names of those that do not answer as they should."""
        return [name for name, dependency in self.dependencies.items() if dependency.status != "ok"]

    @property
    def status(self) -> str:
        """Say ok, degraded (only outside APIs fail) or down."""
        if any(name in VITAL for name in self.down):
            return "down"
        return "degraded" if self.down else "ok"


class HealthCheck:
    """Asks the dependencies, and shares what was found."""

    def __init__(self, database: Database, outside: Outside) -> None:
        self._database = database
        self._checks: dict[str, Callable[[], Awaitable[Any]]] = {
            "database": self._look_at_database,
            "chain": lambda: asyncio.wait_for(outside.block_number(), LIMIT),
            "zeroex": lambda: asyncio.wait_for(outside.zeroex_price("WETH", "USDC", 10**18), LIMIT),
            "coingecko": lambda: asyncio.wait_for(outside.coingecko_ping(), LIMIT),
        }
        self._running: asyncio.Task[Health] | None = None
        self._last: tuple[float, Health] | None = None

    async def look(self) -> Health:
        """Give the present state, at most a tenth of a second old."""
        if self._last is not None and monotonic() - self._last[0] < FRESH:
            return self._last[1]
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._look())
        return await asyncio.shield(self._running)

    async def _look(self) -> Health:
        started = monotonic()
        found = await asyncio.gather(*(self._ask(check) for check in self._checks.values()))
        health = Health(dict(zip(self._checks, found, strict=True)))
        self._last = started, health
        return health

    async def _ask(self, check: Callable[[], Awaitable[Any]]) -> Dependency:
        started = monotonic()
        status, error = "ok", None
        try:
            await check()
        except TimeoutError:
            status, error = "down", f"no answer within {LIMIT} s"
        except RateLimited as problem:
            status, error = "rate-limited", str(problem)
        except (OutsideError, ChainError, Unavailable, psycopg.Error) as problem:
            status, error = "down", one_line(problem)
        return Dependency(status, round((monotonic() - started) * 1000, 1), error)

    async def _look_at_database(self) -> None:
        """Read from the table that matters: a server that answers without it is no help."""
        async with self._database.connection(wait=LIMIT / 2, deadline=LIMIT / 2) as connection:
            await connection.execute("select 1 from orders limit 1")

"""A circuit breaker: after some failures in a row an outside API is not asked any more, so that nobody waits for it in vain.

Closed: everyone asks. Open: nobody does, and callers are told at once. After `cool_down` seconds one trial is made on no
customer's time; its success closes the circuit again. (Nygard, Release It!, 2007.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from services.orders_api.outside import OutsideError

T = TypeVar("T")

FAILURES = 3
COOL_DOWN = 0.5
LIMIT = 1.2
"""Seconds that a call may take; a slower one has failed."""


class CircuitOpen(OutsideError):
    """The outside API was not asked: it failed too often a moment ago."""


class Breaker:
    """One circuit. `name` is what the API is called in metrics and errors."""

    def __init__(
        self, name: str, *, failures: int = FAILURES, cool_down: float = COOL_DOWN, limit: float = LIMIT
    ) -> None:
        self.name = name
        self._most = failures
        self._cool_down = cool_down
        self._limit = limit
        self._failures = 0
        self._tried = 0.0
        self._trial: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the API is not asked at present."""
        return self._failures >= self._most

    async def call(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask, within the limit; CircuitOpen at once while the circuit is open, OutsideError where asking fails."""
        if self.is_open:
            self._try_again(ask)
            raise CircuitOpen(f"{self.name} is not asked: it failed {self._failures} times in a row")
        return await self._counted(ask)

    def _try_again(self, ask: Callable[[], Awaitable[T]]) -> None:
        if monotonic() - self._tried >= self._cool_down and (self._trial is None or self._trial.done()):
            self._tried = monotonic()
            self._trial = asyncio.create_task(self._quietly(ask))

    async def _quietly(self, ask: Callable[[], Awaitable[T]]) -> None:
        try:
            await self._counted(ask)
        except OutsideError:
            return

    async def _counted(self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            answer = await asyncio.wait_for(ask(), self._limit)
        except TimeoutError:
            self._failed()
            raise OutsideError(f"no answer within {self._limit} s") from None
        except OutsideError:
            self._failed()
            raise
        self._failures = 0
        return answer

    def _failed(self) -> None:
        self._failures += 1
        self._tried = monotonic()

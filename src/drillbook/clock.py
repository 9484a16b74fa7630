"""The only module that reads a clock or sleeps, so that every wait can be tested without waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """A monotonic clock in seconds, a wall clock, and a sleep."""

    def now(self) -> float: ...
    def wall(self) -> datetime: ...
    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own clock: CLOCK_MONOTONIC, which all processes of one machine share."""

    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


SYSTEM_CLOCK = SystemClock()


def rfc3339(moment: datetime) -> str:
    """Format a moment as RFC 3339 in UTC with microseconds: `2026-01-31T12:00:00.000000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def wait_until(
    condition: Callable[[], T], timeout: float, *, interval: float = 0.01, clock: Clock = SYSTEM_CLOCK
) -> T | None:
    """Call `condition` every `interval` seconds until it is truthy; give its value, or None after `timeout` seconds."""
    deadline = clock.now() + timeout
    while True:
        value = condition()
        if value:
            return value
        if clock.now() >= deadline:
            return None
        clock.sleep(interval)

"""Keeps the faults that are in force and puts everything back, whatever happens: last in, first out, past any error."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from drillbook.backends.base import Environment
from drillbook.faults.base import ActiveFault, Fault

ENDINGS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class HealFailure:
    """A fault that could not be healed: `error` in one line, and the whole `traceback`."""

    fault: Fault
    error: str
    traceback: str


class FaultStack:
    """The faults in force in one environment.

    While a fault is injected or healed, SIGINT and SIGTERM wait for it to finish (main thread only): a fault is never
    in force without being known here, and healing is never left half done. A signal handler may call `heal_all`.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._active: list[tuple[Fault, ActiveFault]] = []

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults in force, oldest first."""
        return tuple(fault for fault, _ in self._active)

    def inject(self, fault: Fault) -> ActiveFault:
        """Put a fault in force; what its `inject` raises passes through, and then nothing is in force."""
        with endings_deferred():
            active = fault.inject(self._environment)
            self._active.append((fault, active))
        return active

    def heal(self, fault: Fault) -> HealFailure | None:
        """Heal one fault before the others, the newest of its equals; one that is not in force is healed already."""
        with endings_deferred():
            places = [place for place, (known, _) in enumerate(self._active) if known == fault]
            return _heal(*self._active.pop(places[-1])) if places else None

    def heal_all(self) -> list[HealFailure]:
        """Heal every fault, newest first, going on past failures; give those. Called again, it has nothing to do."""
        failures = []
        with endings_deferred():
            while self._active:
                fault, active = self._active.pop()  # popped first: none is ever healed twice
                failures.append(_heal(fault, active))
        return [failure for failure in failures if failure]


def _heal(fault: Fault, active: ActiveFault) -> HealFailure | None:
    try:
        active.heal()
    except Exception as error:
        return HealFailure(fault, f"{fault.kind} of {fault.target}: {error}", traceback.format_exc())
    return None


@contextmanager
def endings_deferred() -> Iterator[None]:
    """Hold SIGINT and SIGTERM back until the block ends, then deliver them; outside the main thread, do nothing.

    The handlers are swapped, for a mask of one thread would only have the signal delivered to another.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        arrived.append(number)

    before = {number: signal.signal(number, note) for number in ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in arrived:
            os.kill(os.getpid(), late)

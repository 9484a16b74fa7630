"""The workload of a drill: a process that makes requests all through it, and what it says of each, on the timeline."""

from __future__ import annotations

import json
import threading

from drillbook.backends.base import Environment
from drillbook.clock import SYSTEM_CLOCK, Clock, wait_until
from drillbook.errors import EnvironmentFailed
from drillbook.journal import Journal, RequestEnded, TrafficEnded
from drillbook.topology.model import Workload

_FIRST_SECONDS = 10.0
_SETTLE_SECONDS = 5.0


class Traffic:
    """A running workload. Its lines are read in a thread of their own, so that it never waits for us."""

    def __init__(
        self, environment: Environment, workload: Workload, journal: Journal, seed: int, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._acknowledged = threading.Event()
        self._said = TrafficEnded(0, 0, "it printed no last line")
        self._stray: list[str] = []
        arguments = [*workload.arguments, "--rate", f"{workload.rate:g}", "--seed", str(seed)]
        self._process = environment.start_module(workload.python, arguments)
        self._reader = threading.Thread(target=self._read, name="drillbook-traffic", daemon=True)
        self._reader.start()

    def wait_for_first(self) -> None:
        """Wait until something was acknowledged; EnvironmentFailed if that takes too long."""
        if not wait_until(lambda: self._acknowledged.is_set() or self._ended(), _FIRST_SECONDS, clock=self._clock):
            raise EnvironmentFailed(f"the traffic had nothing acknowledged within {_FIRST_SECONDS:g} s")
        if self._ended():
            self._reader.join(_SETTLE_SECONDS)  # what it said last may still be unread
        if not self._acknowledged.is_set():
            raise EnvironmentFailed(
                "the traffic ended before anything was acknowledged: " + " / ".join(self._stray[-3:])
            )

    def stop(self) -> None:
        """Let the requests under way settle, and write what the workload says of itself."""
        if not self._ended():
            self._process.terminate()
        if not wait_until(self._ended, _SETTLE_SECONDS, clock=self._clock):
            self._process.kill()
            self._said = TrafficEnded(0, 0, f"it did not stop within {_SETTLE_SECONDS:g} s")
        self._reader.join(_SETTLE_SECONDS)
        self._journal.write(self._said)

    def _ended(self) -> bool:
        return self._process.poll() is not None

    def _read(self) -> None:
        with self._process.stdout as output:
            for line in output:
                try:
                    self._take(json.loads(line))
                except (ValueError, KeyError, TypeError):
                    self._stray.append(line.strip())
        if self._said.error and self._stray:
            self._said = TrafficEnded(0, 0, " / ".join(self._stray[-3:]))

    def _take(self, said: dict[str, object]) -> None:
        if said["event"] == "stopped":
            self._said = TrafficEnded(int(str(said["sent"])), int(str(said["acknowledged"])))
            return
        outcome, status = str(said["event"]), said.get("status") or 0
        sent, finished = float(str(said["sent"])), float(str(said["at"]))
        error, attempts = str(said.get("error") or ""), int(str(said.get("attempts") or 1))
        self._journal.write(RequestEnded(outcome, str(said["key"]), sent, finished, int(str(status)), error, attempts))
        if outcome == "acknowledged":
            self._acknowledged.set()

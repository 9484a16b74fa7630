"""Processes as faults see them: by pid and birth, so that a number that the kernel gave to another is never signalled."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from drillbook.backends.base import Environment
from drillbook.errors import EnvironmentFailed

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """A process; `born` is its start in clock ticks since boot (field 22 of /proc/PID/stat, proc(5))."""

    pid: int
    born: int

    def state(self) -> str:
        """Give the kernel's letter: R, S, D run; T is stopped; "" once it is gone, unreaped ones included."""
        stat = _stat(self.pid)
        return stat.state if stat and stat.born == self.born and stat.state not in "ZX" else ""

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this very process; do nothing if it is gone."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.state():  # the handle was opened first: from here on, the pid cannot become another's unnoticed
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return
        finally:
            os.close(handle)


@dataclass(frozen=True, slots=True)
class _Stat:
    pid: int
    state: str
    parent: int
    born: int


def serving(environment: Environment, service: str) -> tuple[Process, ...]:
    """Give a service's living processes and all their descendants, parents first; raise EnvironmentFailed if there are none."""
    found = family(environment.processes(service))
    if not found:
        raise EnvironmentFailed(f"service {service} has no living process", mend="start it before breaking it")
    return found


def alive(environment: Environment, service: str) -> bool:
    """Say whether any process of a service lives."""
    return bool(family(environment.processes(service)))


def family(pids: Iterable[int]) -> tuple[Process, ...]:
    """Give the living among `pids` and all their descendants, parents first."""
    everyone = [stat for stat in _all_stats() if stat.state not in "ZX"]
    wanted = set(pids)
    found = [stat for stat in everyone if stat.pid in wanted]
    for stat in found:  # grows as it is walked
        found += [child for child in everyone if child.parent == stat.pid and child not in found]
    return tuple(Process(stat.pid, stat.born) for stat in found)


def _all_stats() -> Iterator[_Stat]:
    for entry in PROC.iterdir():
        if entry.name.isdecimal() and (stat := _stat(int(entry.name))):
            yield stat


def _stat(pid: int) -> _Stat | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything, brackets and blanks too
    return _Stat(pid, fields[0], int(fields[1]), int(fields[19]))

"""Finds and ends the processes that a session's commands started, even those that left their group and their parent.

A process that calls `setsid` and forks twice is in no group and no tree of ours any more. What it cannot shed without
wanting to is its environment: each session marks its own, and /proc shows it. The kernel sandbox takes away whatever
hides even from that.
"""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from drillbook.clock import SYSTEM_CLOCK, Clock, wait_until
from drillbook.shims.install import command_behind

MARK = "DRILLBOOK_SESSION"
GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL."""
ROUNDS = 20
"""How often we look again for processes that were forked while we killed: a fork bomb must not hold us for ever."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one time: a pid that is reused has another `born` (clock ticks after boot)."""

    pid: int
    born: int


class Kin:
    """The processes of one session: those that bear its mark, and those in a kernel session that its shells led."""

    def __init__(self, mark: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self._mark = f"{MARK}={mark}\0".encode()
        self._clock = clock
        self._led: set[int] = set()
        self._oldest: int | None = None

    def lead(self, shell: int) -> None:
        """Count everything in the kernel session of this shell as ours."""
        self._led.add(shell)
        status = _status(shell)
        if self._oldest is None and status:
            # What is older than the first shell cannot be ours; most of a machine's processes are.
            self._oldest = status.process.born

    def living(self) -> set[Process]:
        """Give every living process of the session, the shell included; zombies don't count."""
        entries = (entry.name for entry in Path("/proc").iterdir())
        seen = [status for name in entries if name.isdigit() and (status := _status(int(name)))]
        # The kernel reuses no pid while a session of that number has members, and may as soon as it has none.
        self._led &= {status.session for status in seen}
        return {status.process for status in seen if not status.zombie and self._is_ours(status)}

    def commands(self, *, spare: Iterable[int] = ()) -> tuple[str, ...]:
        """Give the command lines of the living processes, oldest first, without those of the pids `spare`."""
        spared = frozenset(spare)
        found = sorted((one for one in self.living() if one.pid not in spared), key=lambda one: (one.born, one.pid))
        return tuple(words for words in map(_command_line, found) if words)

    def end(self, *, spare: Iterable[Process] = (), grace: float = GRACE) -> set[Process]:
        """Send SIGTERM to all but `spare`, SIGKILL `grace` seconds later; give those that live on all the same."""
        spared = frozenset(spare)
        for process in self.living() - spared:
            _send(process, signal.SIGTERM)
        if wait_until(lambda: not (self.living() - spared), grace, clock=self._clock):
            return set()
        for _ in range(ROUNDS):
            rest = self.living() - spared
            if not rest:
                return set()
            for process in rest:
                _send(process, signal.SIGKILL)
            self._clock.sleep(0.01)
        return self.living() - spared

    def _is_ours(self, status: _Status) -> bool:
        if status.session in self._led:
            return True
        if self._oldest is None or status.process.born < self._oldest:
            return False
        try:
            return self._mark in Path(f"/proc/{status.process.pid}/environ").read_bytes() + b"\0"
        except OSError:
            return False  # ended meanwhile, or another user's


@dataclass(frozen=True, slots=True)
class _Status:
    process: Process
    session: int
    zombie: bool


def _status(pid: int) -> _Status | None:
    try:
        # The name in brackets may itself hold spaces and brackets, hence from the last one on; fields as in proc(5).
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return _Status(Process(pid, int(fields[19])), int(fields[3]), fields[0] in (b"Z", b"X"))


def _command_line(process: Process) -> str:
    try:
        words = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    return shlex.join(command_behind(words[:-1]))


def _send(process: Process, number: signal.Signals) -> None:
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return
    try:
        # The handle pins the pid: what we check now is what we signal.
        status = _status(process.pid)
        if status and status.process == process:
            signal.pidfd_send_signal(handle, number)
    except OSError:
        pass  # ended between
    finally:
        os.close(handle)

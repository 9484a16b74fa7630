"""The processes of an embedded environment: started with their variables, watched, ended; each with a log of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from drillbook.backends.embedded.zygote import Forked
from drillbook.platform.launcher import Program


class Process(Protocol):
    """Something that runs: the fork server's child or a program of its own."""

    @property
    def pid(self) -> int: ...
    def running(self) -> bool: ...
    def kill(self) -> None: ...


class Spawned:
    """A program that is no Python module of ours: started directly, in a session of its own."""

    def __init__(self, argv: Sequence[str], log: Path, variables: Mapping[str, str] | None = None) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=dict(variables if variables is not None else os.environ),
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def running(self) -> bool:
        """Say whether it still runs."""
        return self._process.poll() is None

    def wait(self, timeout: float) -> int:
        """Wait for its end, for `timeout` seconds; give its exit code."""
        return self._process.wait(timeout)

    def kill(self) -> None:
        """End it at once, and bury it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def forked(socket_path: Path, module: str, log: Path, path: Sequence[Path], variables: Mapping[str, str]) -> Forked:
    """Have the fork server run a Python module, with these folders first on its path."""
    program = Program(module, (), {**os.environ, **variables}, tuple(map(str, path)), path[0], log)
    return Forked(socket_path, program)


class Piped(Forked):
    """A program of the fork server's whose output is read from `stdout`."""

    def __init__(self, socket_path: Path, program: Program) -> None:
        """Start the program; OSError if the server is not there."""
        reading, writing = os.pipe()
        self.stdout = os.fdopen(reading, encoding="utf-8", errors="replace")
        try:
            super().__init__(socket_path, program, writing)
        finally:
            os.close(writing)

"""How an instance becomes a real process: one seam, so that a fork server can stand in for a fresh interpreter.

No process outlives the platform: the kernel kills each child when its parent dies (PR_SET_PDEATHSIG, prctl(2)).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Program:
    """A Python module to run as `__main__`; `path` comes first on its sys.path, output is appended to `log`."""

    module: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    path: tuple[str, ...]
    cwd: Path
    log: Path


class Running(Protocol):
    """A started process."""

    @property
    def pid(self) -> int: ...

    async def wait_exit(self) -> int:
        """Wait for its end; give the exit status, negative for a signal."""
        ...

    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class Launcher(Protocol):
    """Starts processes."""

    async def launch(self, program: Program) -> Running: ...


class SubprocessLauncher:
    """Starts each program in a fresh interpreter."""

    async def launch(self, program: Program) -> Running:
        """Start `python -m module`; raise OSError if the interpreter or the working directory is missing."""
        search = [*program.path, *filter(None, [program.environment.get("PYTHONPATH")])]
        environment = {**program.environment, "PYTHONPATH": os.pathsep.join(search), "PYTHONUNBUFFERED": "1"}
        parent = os.getpid()
        with program.log.open("ab") as log:
            # Popen and a pidfd, not asyncio's own: that spends a thread on each child in Python 3.11.
            process = subprocess.Popen(
                [sys.executable, "-m", program.module, *program.argv],
                cwd=program.cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: _die_with(parent),  # noqa: PLW1509 - single-threaded here
            )
        return _ChildProcess(process)


class _ChildProcess:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._exit: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._pidfd = os.pidfd_open(process.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait_exit(self) -> int:
        return await asyncio.shield(self._exit)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._exit.set_result(self._process.wait())


def _die_with(parent: int) -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent died before the signal was armed
        os._exit(1)

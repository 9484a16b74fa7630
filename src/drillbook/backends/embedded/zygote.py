"""A fork server: a dozen Python services start in the time of one, and share its memory.

It imports once what most services need (Starlette, Uvicorn, httpx, psycopg) and then, for each program that it is asked for
over its Unix socket, forks a process that runs the module as `python -m` would. A program lives as long as the connection
that asked for it: when its owner dies, it dies.

Protocol, one JSON object a line: the client sends a Program; the server answers {"pid": n} and, at its end, {"exit": code}.
With the Program the client may send file descriptors (SCM_RIGHTS, unix(7)), which are used instead of its log: one for both
outputs, or three for standard input, output and error.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import selectors
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import NoReturn

from drillbook.platform.launcher import Program
from drillbook.sandbox.syscalls import die_with_parent, set_name

_DESCRIPTORS = 3
PRELOADED = (
    "starlette.applications",
    "starlette.routing",
    "uvicorn",
    "uvicorn.protocols.http.h11_impl",
    "httpx",
    "psycopg_pool",
)


def _encode(program: Program) -> bytes:
    fields = {
        "module": program.module,
        "argv": list(program.argv),
        "environment": dict(program.environment),
        "path": list(program.path),
        "cwd": str(program.cwd),
        "log": str(program.log),
    }
    return json.dumps(fields).encode() + b"\n"


def _decode(line: bytes) -> Program:
    given = json.loads(line)
    return Program(
        given["module"],
        tuple(given["argv"]),
        given["environment"],
        tuple(given["path"]),
        Path(given["cwd"]),
        Path(given["log"]),
    )


class Forked:
    """A program that the fork server runs for us, seen from a synchronous client."""

    def __init__(self, socket_path: Path, program: Program, output: int | None = None) -> None:
        """Start the program, its output going to the descriptor `output` or its log; OSError if the server is not there."""
        self._code: int | None = None
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(socket_path))
        socket.send_fds(self._connection, [_encode(program)], [] if output is None else [output])
        self._lines = self._connection.makefile("rb")
        self.pid = int(json.loads(self._lines.readline())["pid"])

    def poll(self) -> int | None:
        """Give its exit code, None while it runs."""
        return self._ended_within(0.0)

    def running(self) -> bool:
        """Say whether it still runs."""
        return self.poll() is None

    def wait(self, timeout: float) -> int:
        """Wait for its end, for `timeout` seconds; give its exit code, TimeoutError if it still runs."""
        code = self._ended_within(timeout)
        if code is None:
            raise TimeoutError(f"it still runs after {timeout} s")
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        if self._code is None:
            self._send(signal.SIGKILL)
            self._end(-signal.SIGKILL)

    def _ended_within(self, seconds: float) -> int | None:
        if self._code is None and select.select([self._connection], [], [], seconds)[0]:
            line = self._lines.readline()  # without one, the server is gone, and the program with it
            self._end(int(json.loads(line)["exit"]) if line else -signal.SIGKILL)
        return self._code

    def _send(self, number: signal.Signals) -> None:
        if self._code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _end(self, code: int) -> None:
        self._code = code
        self._lines.close()
        self._connection.close()


class ZygoteLauncher:
    """A platform's Launcher that has its instances forked."""

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path

    async def launch(self, program: Program) -> AsyncForked:
        """Start the program; OSError if the server is not there."""
        reader, writer = await asyncio.open_unix_connection(str(self._socket_path))
        writer.write(_encode(program))
        return AsyncForked(int(json.loads(await reader.readline())["pid"]), reader, writer)


class AsyncForked:
    """A program that the fork server runs for us, seen from asyncio."""

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._pid = pid
        self._writer = writer
        self._exit = asyncio.create_task(self._read_exit(reader))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._pid

    async def wait_exit(self) -> int:
        """Wait for its end; give the exit status, negative for a signal."""
        return await asyncio.shield(self._exit)

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if not self._exit.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)

    async def _read_exit(self, reader: asyncio.StreamReader) -> int:
        line = await reader.readline()
        self._writer.close()
        return int(json.loads(line)["exit"]) if line else -signal.SIGKILL


class Zygote:
    """The server: one thread, one selector, children reaped as they end."""

    def __init__(self, socket_path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        unfinished = socket_path.with_name(f"{socket_path.name}.part")
        self._listener.bind(str(unfinished))
        self._listener.listen(64)
        unfinished.rename(socket_path)  # whoever finds it there can connect: bound alone, it would refuse
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._owners: dict[int, socket.socket] = {}
        self._wakeup, wake = os.pipe()
        for end in (self._wakeup, wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, _noted)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._selector.register(self._wakeup, selectors.EVENT_READ)

    def serve(self) -> None:
        """Serve until killed."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._selector.register(self._listener.accept()[0], selectors.EVENT_READ)
                elif key.fileobj == self._wakeup:
                    os.read(self._wakeup, 4096)
                elif isinstance(key.fileobj, socket.socket):
                    self._hear(key.fileobj)
            self._reap()

    def _hear(self, owner: socket.socket) -> None:
        """Start what a new connection asks for; a connection that closes takes its program with it."""
        line, descriptors = _read_request(owner)
        if line:
            pid = os.fork()
            if pid == 0:
                _become(_decode(line), descriptors)
            self._owners[pid] = owner
            for descriptor in descriptors:
                os.close(descriptor)
            with contextlib.suppress(OSError):  # it has gone meanwhile: its end of file comes next
                owner.sendall(json.dumps({"pid": pid}).encode() + b"\n")
            return
        for pid in [pid for pid, known in self._owners.items() if known is owner]:
            os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # what it started itself, if it has got as far as having a group
        self._selector.unregister(owner)
        owner.close()

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                owner = self._owners.pop(pid, None)
                if owner is not None:
                    with contextlib.suppress(OSError):
                        owner.sendall(json.dumps({"exit": os.waitstatus_to_exitcode(status)}).encode() + b"\n")


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Let a signal wake the selector."""


def _read_request(connection: socket.socket) -> tuple[bytes, list[int]]:
    """Read one request whole, with its descriptors: the client sends it at once and then only listens."""
    received, descriptors = b"", list[int]()
    while not received.endswith(b"\n"):
        try:
            more, sent, _, _ = socket.recv_fds(connection, 1 << 16, _DESCRIPTORS)
        except ConnectionError:
            more, sent = b"", []
        descriptors += sent
        if not more:
            for descriptor in descriptors:
                os.close(descriptor)
            return b"", []
        received += more
    return received, descriptors


def _connect_streams(program: Program, descriptors: list[int]) -> None:
    match descriptors:
        case [given, output, errors]:
            streams = {0: given, 1: output, 2: errors}
        case [output]:
            streams = {1: output, 2: output}
        case _:
            log = os.open(program.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            streams = {1: log, 2: log}
    for number, descriptor in streams.items():
        os.dup2(descriptor, number)
    os.closerange(3, 1024)


def _become(program: Program, descriptors: list[int]) -> NoReturn:
    """Be the program: its output, directory, environment and path; run its module as `python -m` does."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        die_with_parent(signal.SIGKILL, os.getppid())
        os.setsid()
        set_name(program.module.rpartition(".")[2])
        _connect_streams(program, descriptors)
        os.chdir(program.cwd)
        os.environ.clear()
        os.environ.update(program.environment)
        time.tzset()
        sys.path[:0] = program.path
        sys.argv = [program.module, *program.argv]
        importlib.invalidate_caches()
        runpy.run_module(program.module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
    except BaseException:  # a new process ends here, whatever it did: never run the parent's loop in it
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(socket_path: str) -> None:
    """Preload, then serve on a Unix socket."""
    for module in PRELOADED:
        importlib.import_module(module)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 - the process's own output
    gc.freeze()  # keep the collector from touching, and so copying, the pages that all programs share
    Zygote(Path(socket_path)).serve()


if __name__ == "__main__":
    main(sys.argv[1])

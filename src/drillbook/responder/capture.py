"""Reads what commands print, all the time and within bounds.

A background job may print long after its command ended, and a runaway loop prints gigabytes: were nobody reading, the
first would stop; were everything kept, the second would take the machine's memory. So one thread drains every pipe
and each capture keeps only its two ends.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import termios
import threading
from pathlib import Path
from typing import Self

LIMIT = 64 * 1024
"""Bytes kept at each end of an output."""
CHUNK = 64 * 1024


class Capture:
    """The bounded output of one stream of one command, read from a named pipe made for it."""

    def __init__(self, fifo: Path) -> None:
        os.mkfifo(fifo, 0o600)
        self.path = fifo
        self._reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        # While we hold a writer ourselves, the pipe has no end; `seal` lets go of it.
        self._writer: int | None = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0
        self._closed = False
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """Give the descriptor to wait on."""
        return self._reader

    def drain(self) -> bool:
        """Read one chunk of what there is; False at the end of the pipe."""
        with self._lock:
            return self._take() != b""

    def seal(self) -> None:
        """Take what was written up to now; the name disappears, later writers are drained but no longer kept for
        anyone.
        """
        self.path.unlink(missing_ok=True)
        with self._lock:
            # Counted and read under one lock, for another thread reads as well; bounded by what waits at this moment, for
            # a job that goes on printing must not hold us here.
            waiting = (
                0 if self._closed else struct.unpack("i", fcntl.ioctl(self._reader, termios.FIONREAD, bytes(4)))[0]
            )
            while waiting > 0 and (chunk := self._take()):
                waiting -= len(chunk)
            if self._writer is not None:
                os.close(self._writer)
                self._writer = None

    def _take(self) -> bytes | None:
        """Read and keep one chunk; None if nothing waits, empty at the end of the pipe."""
        if self._closed:
            return b""
        try:
            chunk = os.read(self._reader, CHUNK)
        except BlockingIOError:
            return None
        self._keep(chunk)
        return chunk

    def text(self) -> str:
        """Give the output as text, with the number of bytes cut from its middle."""
        with self._lock:
            cut = self._total - len(self._head) - min(len(self._tail), LIMIT)
            head, tail = bytes(self._head), bytes(self._tail[-LIMIT:])
        if cut <= 0:
            return (head + tail).decode("utf-8", "replace")
        return f"{head.decode('utf-8', 'replace')}\n[drillbook: {cut} bytes cut]\n{tail.decode('utf-8', 'replace')}"

    def close(self) -> None:
        """Let go of the pipe."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._reader)
            if self._writer is not None:
                os.close(self._writer)
                self._writer = None
        self.path.unlink(missing_ok=True)

    def _keep(self, chunk: bytes) -> None:
        self._total += len(chunk)
        room = LIMIT - len(self._head)
        if room > 0:
            self._head += chunk[:room]
            chunk = chunk[room:]
        self._tail += chunk
        if len(self._tail) > 4 * LIMIT:
            del self._tail[:-LIMIT]


class Drain:
    """The one thread that reads every capture until its pipe ends."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        self._poll.register(self._wake, select.EPOLLIN)
        self._captures: dict[int, Capture] = {}
        self._thread = threading.Thread(target=self._read, name="command-output", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        for capture in self._captures.values():
            capture.close()
        self._captures.clear()
        self._poll.close()
        os.close(self._wake)

    def add(self, capture: Capture) -> Capture:
        """Read this capture from now on."""
        self._captures[capture.fileno()] = capture
        self._poll.register(capture.fileno(), select.EPOLLIN)
        return capture

    def _read(self) -> None:
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._wake:
                    return
                capture = self._captures[descriptor]
                if not capture.drain():
                    self._poll.unregister(descriptor)
                    del self._captures[descriptor]
                    capture.close()

"""One thread that moves all bytes. An epoll loop of our own costs a third of asyncio's time per event, and waits to the
microsecond: epoll alone rounds up to whole milliseconds, which an injected delay would carry as its error.
"""

from __future__ import annotations

import heapq
import os
import select
from collections import deque
from collections.abc import Callable
from itertools import count
from queue import SimpleQueue
from typing import Any, TypeVar

from drillbook.clock import SYSTEM_CLOCK
from drillbook.errors import DrillbookError

T = TypeVar("T")

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT
FINE_WAIT = 0.002
"""Seconds before a timer from which the loop waits with `select`, whose time-out has microseconds."""
COARSE_MARGIN = 0.0015
"""Seconds by which the coarse wait ends early; epoll may oversleep by one millisecond."""

Handler = Callable[[int], None]


class Loop:
    """Dispatches readiness and runs timers. All but `call`, `soon` and `stop` belong to the thread that is in `run`."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._tickets = count()
        self._calls: deque[Callable[[], None]] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._running = True
        self.now = SYSTEM_CLOCK.now
        self.buffer = memoryview(bytearray(256 * 1024))
        """Shared by every connection: what a read put here is sent or copied before the next event."""
        self.watch(self._wake, READABLE, self._run_calls)

    def watch(self, fd: int, mask: int, handler: Handler) -> None:
        """Call `handler(events)` whenever `fd` is ready for one of `mask`."""
        self._handlers[fd] = handler
        self._epoll.register(fd, mask)

    def change(self, fd: int, mask: int) -> None:
        """Wait for other events on a watched fd."""
        self._epoll.modify(fd, mask)

    def unwatch(self, fd: int) -> None:
        """Forget a watched fd; call it before the fd is closed."""
        del self._handlers[fd]
        self._epoll.unregister(fd)

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Run `action` at `when`, in seconds of the loop's clock. There is no cancelling."""
        heapq.heappush(self._timers, (when, next(self._tickets), action))

    def soon(self, action: Callable[[], None]) -> None:
        """Run `action` in the loop's thread; may be called from any thread or signal handler."""
        self._calls.append(action)
        os.eventfd_write(self._wake, 1)

    def call(self, action: Callable[[], T]) -> T:
        """Run `action` in the loop's thread and give its result. Raises what it raised: OSError or DrillbookError."""
        outcome: SimpleQueue[tuple[Any, Exception | None]] = SimpleQueue()

        def perform() -> None:
            try:
                outcome.put((action(), None))
            except (OSError, DrillbookError) as error:
                outcome.put((None, error))

        self.soon(perform)
        result, error = outcome.get()
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def stop(self) -> None:
        """Make `run` return; may be called from any thread or signal handler."""
        self._running = False
        os.eventfd_write(self._wake, 1)

    def run(self) -> None:
        """Dispatch until `stop`."""
        handlers = self._handlers
        poll = self._epoll.poll
        while self._running:
            for fd, events in self._poll_until_next_timer() if self._timers else poll():
                # An earlier handler of this batch may have closed this fd.
                if handler := handlers.get(fd):
                    handler(events)
            if self._timers:
                self._run_timers()

    def close(self) -> None:
        """Give the loop's own file descriptors back."""
        self._epoll.close()
        os.close(self._wake)

    def _poll_until_next_timer(self) -> list[tuple[int, int]]:
        left = self._timers[0][0] - self.now()
        if left > FINE_WAIT:
            return self._epoll.poll(left - COARSE_MARGIN)
        if left > 0:
            select.select((self._epoll.fileno(),), (), (), left)
        return self._epoll.poll(0)

    def _run_timers(self) -> None:
        now = self.now()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()

    def _run_calls(self, _events: int) -> None:
        os.eventfd_read(self._wake)
        while self._calls:
            self._calls.popleft()()

"""Follow a journal while other processes write it, record by record, as `tail -f` would."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from drillbook.errors import UsageError
from drillbook.journal.events import Record
from drillbook.journal.read import parse_line

_INTERVAL = 0.2


class Follower:
    """Gives every whole line that is appended to a journal to `sink`, in a thread of its own, until `stop`."""

    def __init__(self, file: Path, sink: Callable[[Record], None]) -> None:
        self._file = file
        self._sink = sink
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="drillbook-follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read what is left, then end."""
        self._ending.set()
        self._thread.join()

    def _follow(self) -> None:
        rest = ""
        with self._file.open(encoding="utf-8", errors="replace") as lines:
            last = False
            while not last:
                last = self._ending.wait(_INTERVAL)
                *whole, rest = (rest + lines.read()).split("\n")
                for line in whole:
                    self._give(line)

    def _give(self, line: str) -> None:
        try:
            self._sink(parse_line(line, self._file))
        except UsageError:  # what is no event is for the report to name, once the run has ended
            return

"""Write events to disk as they happen: one line each, flushed, so that a killed run keeps its evidence.

Secrets are taken out here, the one door through which anything reaches the disk.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from drillbook.clock import SYSTEM_CLOCK, Clock, rfc3339
from drillbook.journal.events import Event, Record, Timeline
from drillbook.journal.kinds import kind_of
from drillbook.journal.read import parse_line

REDACTED = "[secret]"
SHORTEST_SECRET = 4
"""Shorter values are no secrets, and taking them out would garble everything."""

Listener = Callable[[Record], None]


class Journal:
    """Appends events to `journal.jsonl`; several processes may append to one file, each under its own `worker` name.

    Thread-safe: the probes' thread and the workload's write beside the drill's. `listen` is told of every record.
    """

    def __init__(self, file: Path, *, worker: str = "main", clock: Clock = SYSTEM_CLOCK) -> None:
        self.file = file
        self.drill = ""
        """The drill to which events belong from now on."""
        self.worker = worker
        self._clock = clock
        self._lock = threading.Lock()
        self._seq = 0
        self._forms: frozenset[str] = frozenset()
        self._hidden: re.Pattern[str] | None = None
        self._timeline: list[Record] = []
        self._listeners: list[Listener] = []
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def hide(self, secrets: Iterable[str]) -> None:
        """Replace these values, and their JSON and URL forms, wherever they turn up from now on."""
        long_enough = (secret for secret in secrets if len(secret) >= SHORTEST_SECRET)
        self._forms |= {form for secret in long_enough for form in _forms(secret)}
        # Longest first: of two secrets, one may begin with the other.
        words = sorted(self._forms, key=len, reverse=True)
        self._hidden = re.compile("|".join(map(re.escape, words))) if words else None

    def listen(self, listener: Listener) -> None:
        """Tell a listener of every record from now on, in the thread that writes it."""
        self._listeners.append(listener)

    def write(self, event: Event) -> Record:
        """Append an event and give its record; secrets are out of what is written, told to listeners and given back."""
        with self._lock:
            self._seq += 1
            moment = rfc3339(self._clock.wall())
            record = Record(self._seq, moment, self._clock.now(), self.drill, self.worker, event)
            line = json.dumps(self._line(record), separators=(",", ":"), ensure_ascii=False) + "\n"
            os.write(self._descriptor, line.encode(errors="replace"))
            if REDACTED in line:
                record = parse_line(line, self.file)
            if self.drill:
                self._timeline.append(record)
        for listener in self._listeners:
            listener(record)
        return record

    def begin(self, drill: str) -> None:
        """Let events belong to a drill, and forget the last one's."""
        with self._lock:
            self.drill = drill
            self._timeline = []

    def end(self) -> None:
        """Let events belong to no drill."""
        with self._lock:
            self.drill = ""

    def timeline(self) -> Timeline:
        """Give the present drill's records so far."""
        with self._lock:
            return tuple(self._timeline)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def redact(self, text: str) -> str:
        """Give a text without secrets."""
        return self._hidden.sub(REDACTED, text) if self._hidden else text

    def _line(self, record: Record) -> dict[str, Any]:
        head: dict[str, Any] = {
            "seq": record.seq,
            "time": record.time,
            "at": round(record.at, 6),
            "worker": record.worker,
        }
        if record.drill:
            head["drill"] = self.redact(record.drill)
        return head | {"event": kind_of(type(record.event)), "data": self._plain(record.event)}

    def _plain(self, value: Any) -> Any:
        """Give a value as JSON knows it, without secrets."""
        plain: Any = value
        match value:
            case Enum():
                plain = value.value
            case str():
                plain = self.redact(value)
            case float():
                plain = round(value, 6)
            case Mapping():
                plain = {self.redact(str(key)): self._plain(item) for key, item in value.items()}
            case Sequence():
                plain = [self._plain(item) for item in value]
            case _ if is_dataclass(value):
                plain = {f.name: self._plain(getattr(value, f.name)) for f in fields(value)}
            case _ if not isinstance(value, int | None):
                plain = self.redact(str(value))
        return plain


def _forms(secret: str) -> set[str]:
    """Give a secret as it stands in plain text, in JSON (also in JSON within JSON) and in URLs."""
    plain = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    twice = {json.dumps(form, ensure_ascii=False)[1:-1] for form in plain}
    return plain | twice | {quote(secret), quote(secret, safe=""), quote_plus(secret)}

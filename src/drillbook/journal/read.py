"""Read a journal back: reports and judgements are pure functions of it.

A run that was killed leaves no end, and perhaps half a last line: that is read as interrupted, never as complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json

from drillbook.errors import Location, UsageError
from drillbook.journal.events import SCHEMA, DrillStarted, Event, Record, RunFinished, RunStarted, Timeline
from drillbook.journal.kinds import KINDS

NAME = "journal.jsonl"


@dataclass(frozen=True, slots=True)
class JournalFile:
    """A journal as read: its records in order; `truncated` if its last line is cut off."""

    file: Path
    records: tuple[Record, ...]
    truncated: bool = False

    @property
    def started(self) -> RunStarted | None:
        """How the run began."""
        return next((r.event for r in self.records if isinstance(r.event, RunStarted)), None)

    @property
    def finished(self) -> RunFinished | None:
        """How the run ended; None if it was killed."""
        return next((r.event for r in reversed(self.records) if isinstance(r.event, RunFinished)), None)

    @property
    def interrupted(self) -> bool:
        """Whether the run did not come to its own end."""
        return self.truncated or self.finished is None or self.finished.interrupted

    def drills(self) -> dict[str, Timeline]:
        """Give each drill's timeline, in the order in which they started."""
        names = [r.drill for r in self.records if isinstance(r.event, DrillStarted)]
        return {name: tuple(r for r in self.records if r.drill == name) for name in names}


def read(path: Path) -> JournalFile:
    """Read a journal, or the one in a run's folder; UsageError with file and line for what is no journal of ours."""
    file = path / NAME if path.is_dir() else path
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise UsageError(
            f"cannot read a journal: {error}", mend="name a folder below runs/", at=Location(file)
        ) from error
    whole, rest = lines[:-1], lines[-1]  # the rest may end within a character
    records = tuple(_record(line, Location(file, number)) for number, line in enumerate(whole, 1) if line)
    return JournalFile(file, records, truncated=bool(rest))


def parse_line(line: str, file: Path) -> Record:
    """Read one line of a journal; UsageError for what is no event of ours."""
    return _record(line.encode(), Location(file))


def _record(line: bytes, at: Location) -> Record:
    try:
        given = from_json(
            line
        )  # bounded in depth: json's own decoder can end the process where a library raised the limit
        kind = KINDS.get(given["event"])
        if kind is None or given["data"].get("schema", SCHEMA) > SCHEMA:
            raise UsageError("this journal was written by a newer Drillbook", mend="upgrade Drillbook", at=at)
        event: Event = _adapter(kind).validate_python(given["data"])
        return Record(given["seq"], given["time"], float(given["at"]), given.get("drill", ""), given["worker"], event)
    # The decoder's and pydantic's errors are ValueErrors; the others come of JSON that is huge or of other shape.
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UsageError(f"this is no event: {error}", at=at) from error


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)

"""What a check reports: one frozen value per finding, complete in itself, so that every output is made from it alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Severity(StrEnum):
    """How bad a finding is: only errors fail a check unless it is strict."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file: `line` and `column` (in characters) count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Edit:
    """Text that replaces what stands from `start` up to, not including, `end`."""

    start: Place
    end: Place
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that would fail an operator.

    `message` says what is wrong, `mend` what to write instead; `end` is the place after the last character; `fix` holds
    edits that cannot be wrong, empty where a person must decide.
    """

    code: str
    severity: Severity
    file: Path
    start: Place
    end: Place
    message: str
    mend: str
    fix: tuple[Edit, ...] = ()

    @property
    def line(self) -> int:
        """The line that it begins in, from 1."""
        return self.start.line

    @property
    def column(self) -> int:
        """The column that it begins in, from 1."""
        return self.start.column

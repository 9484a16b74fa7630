"""Every error that Drillbook raises on purpose, so that one `except` tells ours from a bug.

DrillbookError
├── UsageError            bad input: command line, runbook, environment file, feature   (exit 2)
│   ├── UsageErrors       several defects of one input, each a UsageError (exit 2)
│   └── SandboxRefused    this machine cannot give a sandbox; carries the mending command (exit 2)
├── EnvironmentFailed     a service of the environment did not start or reset
├── UnsupportedFault      the backend cannot inject this fault: the drill is unknown
└── Unbound               a command or a step has nothing that performs it: the drill is unknown
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Location:
    """A place in an input file; `line` and `column` count from 1, None where only the file is known."""

    file: Path
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


class DrillbookError(Exception):
    """Say what is wrong, where, and what to do next."""

    def __init__(self, message: str, *, at: Location | None = None, mend: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.mend = mend

    def __str__(self) -> str:
        place = f"{self.at}: " if self.at else ""
        return f"{place}{self.message}" + (f"\n  mend: {self.mend}" if self.mend else "")


class UsageError(DrillbookError):
    """Refuse an input before anything has started (exit code 2)."""


class UsageErrors(UsageError):
    """Refuse an input for all that is wrong with it: `errors`, at least one, are in the order of their lines."""

    def __init__(self, errors: Iterable[UsageError]) -> None:
        self.errors = tuple(sorted(errors, key=_place))
        first = self.errors[0]
        super().__init__(first.message, at=first.at, mend=first.mend)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


def _place(error: UsageError) -> tuple[int, int]:
    return (error.at.line or 0, error.at.column or 0) if error.at else (0, 0)


class SandboxRefused(UsageError):
    """Report that this machine cannot give a sandbox, and the command that mends it."""


class EnvironmentFailed(DrillbookError):
    """Report a service that did not start, stop or reset."""


class UnsupportedFault(DrillbookError):
    """Report a fault that this backend cannot inject."""


class Unbound(DrillbookError):
    """Report a command or manual step that nothing performs."""

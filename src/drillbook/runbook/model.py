"""What a runbook is, once read: frozen values, each with the line it stands at.

The rest of Drillbook speaks only of these; Markdown stays in `parse.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class StepKind(StrEnum):
    """What a step asks for: commands to run, a person's act, or a person's judgement before commands."""

    COMMAND = "command"
    MANUAL = "manual"
    DECISION = "decision"


@dataclass(frozen=True, slots=True)
class Command:
    """One logical command (a whole loop, here-doc or pipeline counts as one).

    `text` is what a shell is given, prompts stripped; `line` (from 1) is where it begins in the file;
    `note` is the comment at the end of its line, without the `#`; `language` is the fence's, lower case, "" where it
    has none.
    """

    text: str
    line: int
    language: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class TargetTime:
    """A time the runbook promises: `seconds`, the words that say so, and their line."""

    seconds: float
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `commands` is empty for a manual step; a decision's commands run only if it is taken."""

    title: str
    kind: StepKind
    line: int
    commands: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it, up to the next heading of any level.

    `path` is the titles from the top joined by " / ", made unique by " (2)", " (3)"; `anchor` is the slug that GitHub
    gives the heading; `level` is 1 to 6 (0 for text before the first heading).
    """

    title: str
    path: str
    anchor: str
    level: int
    line: int
    targets: tuple[TargetTime, ...] = ()
    steps: tuple[Step, ...] = ()

    def target_for(self, step: Step) -> TargetTime | None:
        """Give the target that governs a step: the last one above it, else the section's first."""
        above = [target for target in self.targets if target.line <= step.line]
        return above[-1] if above else (self.targets[0] if self.targets else None)

    def steps_for(self, target: TargetTime) -> tuple[Step, ...]:
        """Give the steps that a target governs."""
        return tuple(step for step in self.steps if self.target_for(step) == target)


@dataclass(frozen=True, slots=True)
class Runbook:
    """A whole runbook: its sections in the order of the file; `fences` counts its code fences."""

    file: Path
    title: str
    sections: tuple[Section, ...] = field(default=())
    fences: int = 0

    @property
    def commands(self) -> tuple[Command, ...]:
        """Every command of the runbook, in order."""
        return tuple(c for section in self.sections for step in section.steps for c in step.commands)

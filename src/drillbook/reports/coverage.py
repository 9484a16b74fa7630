"""What of the runbook was rehearsed, by which scenarios, how that last ended, and what was not: from the journal alone.

A command is rehearsed where the responder ran it, whatever came of it; a step without commands where somebody performed it. A
decision that was no rehearses none of its commands. What is not rehearsed is a gap, unless environment.yaml says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from drillbook.errors import UsageError
from drillbook.journal.events import CommandEnded, RunbookRead, RunbookSection, RunbookStep, StepEnded
from drillbook.journal.read import JournalFile
from drillbook.reports.account import Account, accounts
from drillbook.verdict.model import Measures

PLANNED = "planned"
"""The word of a rehearsal that the features promise: nothing has been run."""
PERFORMED = ("done", "failed")
Place = tuple[int, str]
"""The line of a command or step, and its text or title: several may stand on one line."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What one scenario did of the runbook; `word` is its verdict: pass, fail, unknown, interrupted, or planned."""

    scenario: str
    feature: str
    line: int
    word: str
    sections: tuple[str, ...]
    steps: frozenset[Place]
    commands: frozenset[Place]
    measures: Measures = field(default_factory=Measures)


@dataclass(frozen=True, slots=True)
class Covered:
    """A command (`kind` is command, without `parts`), a step or a section, and who rehearsed it, in the order of the run."""

    kind: str
    text: str
    line: int
    rehearsals: tuple[Rehearsal, ...]
    reason: str = ""
    parts: tuple[Covered, ...] = ()
    targets: tuple[float, ...] = ()

    @property
    def last(self) -> str:
        """The verdict of the scenario that rehearsed it last; "" if none did."""
        return self.rehearsals[-1].word if self.rehearsals else ""


@dataclass(frozen=True, slots=True)
class Gap:
    """A command, or a step without commands, that no scenario rehearsed; `reason` is "" where nobody says why."""

    section: str
    text: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """A runbook: its sections with their steps and commands."""

    file: str
    sections: tuple[Covered, ...]

    @property
    def pieces(self) -> Iterator[tuple[Covered, Covered]]:
        """Give what can be rehearsed by itself, each with its section: commands, and steps that have none."""
        for section in self.sections:
            for step in section.parts:
                yield from ((section, piece) for piece in step.parts or (step,))

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What was not rehearsed, in the runbook's order."""
        return tuple(
            Gap(section.text, piece.text, piece.line, piece.reason)
            for section, piece in self.pieces
            if not piece.rehearsals
        )

    @property
    def complete(self) -> bool:
        """Whether nothing was left out without a reason."""
        return all(gap.reason for gap in self.gaps)


def coverage(journal: JournalFile) -> Coverage:
    """Give what a run rehearsed; UsageError for a journal that does not hold its runbook."""
    read = next((record.event for record in journal.records if isinstance(record.event, RunbookRead)), None)
    if read is None:
        raise UsageError("this journal does not hold its runbook", mend="run again: older runs did not write it down")
    return cover(read, [_rehearsal(account) for account in accounts(journal)])


def cover(read: RunbookRead, rehearsals: Sequence[Rehearsal]) -> Coverage:
    """Lay rehearsals over a runbook."""
    return Coverage(read.file, tuple(_section(section, rehearsals) for section in read.sections))


def _rehearsal(account: Account) -> Rehearsal:
    steps = [step for step in account.of(StepEnded) if step.outcome in PERFORMED]
    commands = (command for command in account.of(CommandEnded) if not command.unbound)
    return Rehearsal(
        account.started.name,
        account.started.feature,
        account.started.line,
        account.word,
        tuple(dict.fromkeys(step.section for step in account.of(StepEnded))),
        frozenset((step.line, step.title) for step in steps),
        frozenset((command.line, command.text) for command in commands),
        account.measures,
    )


def _section(section: RunbookSection, rehearsals: Sequence[Rehearsal]) -> Covered:
    mine = tuple(one for one in rehearsals if section.path in one.sections)
    steps = tuple(_step(step, mine) for step in section.steps)
    return Covered("section", section.path, section.line, mine, "", steps, section.targets)


def _step(step: RunbookStep, rehearsals: Iterable[Rehearsal]) -> Covered:
    mine = tuple(rehearsals)
    done = tuple(one for one in mine if (step.line, step.title) in one.steps)
    commands = tuple(
        Covered(
            "command",
            command.text,
            command.line,
            tuple(one for one in mine if (command.line, command.text) in one.commands),
            command.unrehearsed,
        )
        for command in step.commands
    )
    return Covered(step.kind, step.title, step.line, done, step.unrehearsed, commands)


def counts(found: Coverage) -> Mapping[str, tuple[int, int]]:
    """Give, for sections, steps and commands, how many were rehearsed and how many there are."""
    steps = [step for section in found.sections for step in section.parts]
    commands = [command for step in steps for command in step.parts]
    kinds = {"sections": list(found.sections), "steps": steps, "commands": commands}
    return {name: (sum(bool(one.rehearsals) for one in ones), len(ones)) for name, ones in kinds.items()}

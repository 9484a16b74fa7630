"""What a journal says of each drill, gathered once, so that every report tells the same story and none is greener.

A drill without an end was interrupted: it proved nothing, and what its evidence still tells stands as its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from drillbook.journal.events import (
    CommandStarted,
    DrillFinished,
    DrillStarted,
    FaultInjected,
    Observed,
    Record,
    StepStarted,
    Timeline,
)
from drillbook.journal.read import JournalFile
from drillbook.verdict.model import Measures, Outcome, Reason

CTRL_C = 130
"""What a shell gives for a program that SIGINT ended."""

INTERRUPTED = "interrupted"
E_ = TypeVar("E_")


@dataclass(frozen=True)
class Account:
    """One drill as its journal tells it."""

    started: DrillStarted
    worker: str
    timeline: Timeline

    @cached_property
    def finished(self) -> DrillFinished | None:
        """The drill's verdict; None if the run ended first."""
        return next(iter(self.of(DrillFinished)), None)

    @property
    def outcome(self) -> Outcome:
        """The verdict; unknown for a drill that was interrupted."""
        return self.finished.outcome if self.finished else Outcome.UNKNOWN

    @property
    def word(self) -> str:
        """The verdict in one word: pass, fail, unknown or interrupted."""
        return self.finished.outcome.value if self.finished else INTERRUPTED

    @property
    def measures(self) -> Measures:
        """What the clock saw."""
        return self.finished.measures if self.finished else Measures()

    @property
    def seconds(self) -> float:
        """How long the drill took; up to its last event if it was interrupted."""
        return self.finished.seconds if self.finished else self.timeline[-1].at - self.timeline[0].at

    @cached_property
    def zero(self) -> float | None:
        """When the drill's clock started: the first fault; None if none was injected."""
        return min((fault.at for fault in self.of(FaultInjected)), default=None)

    @cached_property
    def reasons(self) -> tuple[Reason, ...]:
        """Why the verdict is what it is, the worst first."""
        if self.finished is None:
            text = "interrupted: the run ended before this drill did, so there is no verdict"
            return (Reason(Outcome.UNKNOWN, text, tuple(record.seq for record in self._last_evidence())),)
        order = (Outcome.FAIL, Outcome.UNKNOWN, Outcome.PASS)
        return tuple(sorted(self.finished.reasons, key=lambda reason: order.index(reason.outcome)))

    def of(self, kind: type[E_]) -> tuple[E_, ...]:
        """Give the drill's events of one kind, in order."""
        return tuple(record.event for record in self.timeline if isinstance(record.event, kind))

    def cited(self, events: Iterable[int]) -> tuple[Record, ...]:
        """Give the records with these sequence numbers that are this drill's, in the order in which they were written."""
        wanted = set(events)
        return tuple(r for r in self.timeline if r.seq in wanted and r.worker == self.worker)

    def _last_evidence(self) -> Iterator[Record]:
        """Give what was in force at the end: the faults, the step and command begun last, the probes that were bad."""
        last: dict[str, Record] = {}
        for record in self.timeline:
            match record.event:
                case Observed(probe):
                    last[f"probe {probe}"] = record
                case StepStarted() | CommandStarted():
                    last[type(record.event).__name__] = record
                case FaultInjected(fault, target):
                    last[f"fault {fault} {target}"] = record
        for record in last.values():
            if not (isinstance(record.event, Observed) and record.event.ok):
                yield record


def accounts(journal: JournalFile) -> tuple[Account, ...]:
    """Give the account of every drill, in the order in which they started."""
    return tuple(_account(timeline) for timeline in journal.drills().values())


def _account(timeline: Timeline) -> Account:
    for record in timeline:
        if isinstance(record.event, DrillStarted):
            return Account(record.event, record.worker, timeline)
    raise AssertionError("a journal's drills are found by their start")


def code_of(outcomes: Iterable[Outcome], *, interrupted: bool = False) -> int:
    """Give a run's exit code: 0 all pass, 1 any fail, 3 none failed but one is unknown or there is none, 130 Ctrl-C."""
    if interrupted:
        return CTRL_C
    return {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.UNKNOWN: 3}[Outcome.worst(outcomes)]


def exit_code(journal: JournalFile) -> int:
    """Give the exit code that a run's journal earns: never a better one than the run itself gave."""
    outcomes, end = [account.outcome for account in accounts(journal)], journal.finished
    if end is None or journal.truncated:
        outcomes.append(Outcome.UNKNOWN)  # it was killed: nobody knows which drills were still to come
    code = code_of(outcomes, interrupted=end is not None and end.interrupted)
    return end.exit_code if code == 0 and end is not None else code


def run_seconds(journal: JournalFile) -> float:
    """Give how long the run took: from its first event to its last."""
    records = [record.at for record in journal.records]
    return max(records) - min(records) if records else 0.0

"""What a responder did, as plain values: one result per command, one notification per thing that happened.

The drill's journal and the judge know a response only by these; how a shell is driven stays in `session.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from drillbook.responder.calls import Answer, Approval
from drillbook.runbook.model import Command, Step


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How one command ended. Times are monotonic seconds.

    `exit_code` is None when the deadline ended it. `stdout` and `stderr` keep the first and last 64 KiB and say how
    many bytes were cut between. `note` says in words what a bare exit code hides (the shell ended, a syntax error, a
    deadline). `unbound` names each command that nothing performed, even where its exit code was swallowed.
    """

    text: str
    exit_code: int | None
    stdout: str
    stderr: str
    started: float
    finished: float
    timed_out: bool = False
    note: str = ""
    unbound: tuple[str, ...] = ()

    @property
    def duration(self) -> float:
        """Seconds from start to end."""
        return self.finished - self.started


class StepOutcome(StrEnum):
    """How a step ended: skipped by a decision or after a failure, omitted by request, unbound: nothing performs it."""

    DONE = "done"
    SKIPPED = "skipped"
    OMITTED = "omitted"
    UNBOUND = "unbound"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step begins at `at` (monotonic seconds); people are granted `allowed` seconds for it."""

    section: str
    step: Step
    at: float
    allowed: float


@dataclass(frozen=True, slots=True)
class CommandStarted:
    """A command is given to the shell; it is killed `deadline` seconds later."""

    step: Step
    command: Command
    at: float
    deadline: float


@dataclass(frozen=True, slots=True)
class CommandFinished:
    """A command ended; `accepted` says whether its exit code counts as success."""

    step: Step
    command: Command
    result: CommandResult
    accepted: bool


@dataclass(frozen=True, slots=True)
class DecisionTaken:
    """A decision was made, and why."""

    step: Step
    taken: bool
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class PersonCalled:
    """A person on call was called in a step, and acknowledged or was passed over."""

    step: Step
    answer: Answer


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    """Somebody was asked in a step to approve something, and approved, refused or did not answer."""

    step: Step
    approval: Approval


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A step ended. `detail` is what was found or done, or why it was not; `allowed` is 0 for an omitted step."""

    section: str
    step: Step
    outcome: StepOutcome
    started: float
    at: float
    allowed: float
    detail: str = ""


Notification = (
    StepStarted | CommandStarted | CommandFinished | DecisionTaken | PersonCalled | ApprovalAsked | StepFinished
)
Listener = Callable[[Notification], None]


@dataclass(frozen=True, slots=True)
class Response:
    """How a section was followed: every step's end and every command's, in order."""

    section: str
    steps: tuple[StepFinished, ...]
    commands: tuple[CommandFinished, ...]

    @property
    def allowed(self) -> float:
        """Seconds granted to people in all."""
        return sum(step.allowed for step in self.steps)

    def ended(self, outcome: StepOutcome) -> tuple[StepFinished, ...]:
        """Give the steps that ended so."""
        return tuple(step for step in self.steps if step.outcome is outcome)

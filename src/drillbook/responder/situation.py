"""What a person at a step can see and do: the results so far, the environment, the shell.

The functions in `steps/` get one of these and nothing else, so that what a decision was made from can be read in one
place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from drillbook.backends.base import Environment
from drillbook.clock import Clock
from drillbook.errors import UsageError
from drillbook.responder.calls import Answer, Approval
from drillbook.responder.report import CommandFinished, CommandResult, StepFinished, StepOutcome
from drillbook.runbook.model import Section, Step


@dataclass(frozen=True, slots=True)
class Situation:
    """The moment at which a step's function is called. `environment.variables` holds what its shell's commands see."""

    environment: Environment
    section: Section
    step: Step
    clock: Clock
    finished: Sequence[CommandFinished]
    """Every command finished so far in this section, in order."""
    perform: Callable[[str, float | None], CommandResult]
    ended: Sequence[StepFinished]
    """Every step that has ended so far in this section, in order."""
    called: Sequence[Answer]
    """Everybody called so far in this section, in order."""
    ring: Callable[[str, str], Answer]
    approvals: Sequence[Approval]
    """Every approval asked for so far in this section, in order."""
    request: Callable[[str, str], Approval]

    def run(self, command: str, deadline: float | None = None) -> CommandResult:
        """Run a further command in the runbook's own shell; `deadline` in seconds, else what the environment file
        says.
        """
        return self.perform(command, deadline)

    def call(self, contact: str, message: str) -> Answer:
        """Call a person on call, by their short name in the environment file, and wait as long as they are granted."""
        return self.ring(contact, message)

    def ask(self, contact: str, question: str) -> Approval:
        """Call a contact and ask them to approve something; they answer by the scenario's word, or do not pick up."""
        return self.request(contact, question)

    def approved(self, contact: str) -> bool:
        """Tell whether the contact was asked in this section, and approved what they were asked last."""
        asked = [one for one in self.approvals if one.contact == contact]
        return bool(asked) and asked[-1].granted

    def done(self, text: str) -> bool:
        """Tell whether every earlier step whose title contains `text`, case ignored, was taken and done."""
        found = [one for one in self.ended if text.casefold() in one.step.title.casefold()]
        return bool(found) and all(one.outcome is StepOutcome.DONE for one in found)

    def acknowledged(self, contact: str) -> bool:
        """Tell whether somebody who was called so far in this section has acknowledged."""
        return any(one.acknowledged for one in self.called if one.contact == contact)

    def result_of(self, text: str) -> list[CommandResult]:
        """Give the results so far of the commands that contain `text`, or whose step's title does; case ignored.

        Raises UsageError if neither a title nor a command of the section contains it.
        """
        return [one.result for one in self._matching(text)]

    def succeeded(self, text: str) -> bool:
        """Tell whether such commands have run and each ended with an accepted exit code; UsageError as `result_of`."""
        found = self._matching(text)
        return bool(found) and all(one.accepted for one in found)

    def _matching(self, text: str) -> list[CommandFinished]:
        if not any(step_contains(step, text) for step in self.section.steps):
            known = [step.title for step in self.section.steps]
            near = get_close_matches(text, known, 1, 0.3) or known[:1]
            mend = f"the nearest title is {near[0]!r}" if near else None
            raise UsageError(f"no step or command of {self.section.path!r} contains {text!r}", mend=mend)
        wanted = text.casefold()
        return [one for one in self.finished if wanted in f"{one.step.title}\0{one.command.text}".casefold()]


def step_contains(step: Step, text: str) -> bool:
    """Tell whether a step's title or one of its commands contains `text`, case ignored."""
    return any(text.casefold() in part.casefold() for part in (step.title, *(one.text for one in step.commands)))

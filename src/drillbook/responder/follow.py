"""Follows a section of the runbook as a person would: step by step, going on past what fails, and noting everything.

A responder who gets an error looks at it and goes on; whether service came back is for the probes to say, not for
exit codes. What must never pass in silence is a step that nothing performs: it is `unbound`, and makes its drill
unknown.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from drillbook.backends.base import Environment
from drillbook.clock import SYSTEM_CLOCK, Clock
from drillbook.errors import DrillbookError, Unbound, UsageError
from drillbook.responder.calls import Answer, Approval, ask_person, call_person
from drillbook.responder.registry import Performer, Registry
from drillbook.responder.report import (
    ApprovalAsked,
    CommandFinished,
    CommandResult,
    CommandStarted,
    DecisionTaken,
    Listener,
    Notification,
    PersonCalled,
    Response,
    StepFinished,
    StepOutcome,
    StepStarted,
)
from drillbook.responder.session import ShellSession
from drillbook.responder.situation import Situation, step_contains
from drillbook.runbook.model import Command, Section, Step, StepKind

NOT_FOUND = 127
"""The exit code of a shell for a program that does not exist (POSIX, 2.8.2)."""


def matching_steps(sections: Iterable[Section], text: str) -> list[Step]:
    """Give the steps whose title or one of whose commands contains `text`, case ignored: those that `omit` leaves
    out.
    """
    return [step for section in sections for step in section.steps if text.strip() and step_contains(step, text)]


class Responder:
    """Follows sections in one shell session. `omit` leaves out steps by words; `fail_fast` stops at the first
    failure; `answers` say whether each contact approves what they are asked.
    """

    def __init__(
        self,
        environment: Environment,
        session: ShellSession,
        registry: Registry,
        listen: Listener,
        *,
        omit: Sequence[str] = (),
        fail_fast: bool = False,
        answers: Mapping[str, bool] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.environment = environment
        self.session = session
        self.registry = registry
        self.listen = listen
        self.omit = tuple(text for text in omit if text.strip())
        self.fail_fast = fail_fast
        self.answers = answers or {}
        self.clock = clock

    def follow(self, section: Section, steps: Sequence[Step] | None = None) -> Response:
        """Follow a section, or only the given ones of its steps. Raises UsageError for a step function that breaks
        its contract.
        """
        passage = _Passage(self, section)
        for step in section.steps if steps is None else steps:
            passage.take(step)
        return Response(section.path, tuple(passage.steps), tuple(passage.commands))


@dataclass(slots=True)
class _Passage:
    """One way through a section: what has happened so far."""

    responder: Responder
    section: Section
    steps: list[StepFinished] = field(default_factory=list)
    commands: list[CommandFinished] = field(default_factory=list)
    called: list[Answer] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)

    def take(self, step: Step) -> None:
        """Perform one step and tell how it ended, even if its function raises what we don't know."""
        responder = self.responder
        left_out = next((text for text in responder.omit if step_contains(step, text)), None)
        allowed = 0.0 if left_out is not None else responder.environment.topology.people.allowed_for(step)
        started = responder.clock.now()
        self._tell(StepStarted(self.section.path, step, started, allowed))
        outcome, detail = StepOutcome.FAILED, "its function broke off with an error of its own"
        try:
            if left_out is not None:
                outcome, detail = StepOutcome.OMITTED, f"left out by request: it contains {left_out!r}"
            elif responder.fail_fast and any(_is_bad(done) for done in self.steps):
                outcome, detail = (
                    StepOutcome.SKIPPED,
                    "an earlier step did not succeed, and the first failure ends the section",
                )
            else:
                outcome, detail = self._perform(step)
        finally:
            now = responder.clock.now()
            done = StepFinished(self.section.path, step, outcome, started, now, allowed, detail)
            self.steps.append(done)
            self._tell(done)

    def _perform(self, step: Step) -> tuple[StepOutcome, str]:
        before = len(self.commands)
        try:
            outcome, detail = self._act(step)
        except Unbound as error:
            return StepOutcome.UNBOUND, str(error)
        except (DrillbookError, AssertionError, OSError) as error:
            # What a person meets who tries and can't; a bug in a step's function is none of these and ends the drill.
            if isinstance(error, UsageError):
                raise
            return StepOutcome.FAILED, f"{type(error).__name__}: {error}"
        mine = self.commands[before:]
        if missing := dict.fromkeys(name for one in mine for name in one.result.unbound):
            return StepOutcome.UNBOUND, "nothing performs: " + ", ".join(missing)
        # What a function runs to look around may fail; what the runbook itself says to run may not.
        failed = [one for one in mine if one.command in step.commands and not one.accepted]
        if failed:
            return StepOutcome.FAILED, "; ".join(_failure(one.result) for one in failed)
        return outcome, detail

    def _act(self, step: Step) -> tuple[StepOutcome, str]:
        if step.kind is StepKind.COMMAND:
            return self._run_all(step, "")
        performer = self.responder.registry.find(step)
        if performer is None:
            mend = f'write a function in steps/ and mark it @{step.kind}("{step.title}")'
            raise Unbound(f"nobody performs the {step.kind} step {step.title!r}", mend=mend)
        said = self._call(performer, step)
        if step.kind is StepKind.MANUAL:
            return StepOutcome.DONE, _words(said, performer)
        taken, reason = _choice(said, performer)
        self._tell(DecisionTaken(step, taken, reason, self.responder.clock.now()))
        if not taken:
            return StepOutcome.SKIPPED, reason or "the decision was no"
        return self._run_all(step, reason)

    def _run_all(self, step: Step, detail: str) -> tuple[StepOutcome, str]:
        for command in step.commands:
            finished = self._run(step, command)
            if self.responder.fail_fast and not finished.accepted:
                break
        return StepOutcome.DONE, detail

    def _call(self, performer: Performer, step: Step) -> object:
        def perform(text: str, deadline: float | None) -> CommandResult:
            return self._run(step, Command(text, step.line, "bash"), deadline).result

        def ring(contact: str, message: str) -> Answer:
            answer = call_person(responder.environment, contact, message, responder.clock)
            self.called.append(answer)
            self._tell(PersonCalled(step, answer))
            return answer

        def ask(contact: str, question: str) -> Approval:
            approval = ask_person(ring(contact, question), responder.answers)
            self.approvals.append(approval)
            self._tell(ApprovalAsked(step, approval))
            return approval

        responder = self.responder
        known = (self.commands, perform, self.steps, self.called, ring, self.approvals, ask)
        situation = Situation(responder.environment, self.section, step, responder.clock, *known)
        said = performer.function(situation)
        if inspect.isawaitable(said):
            raise UsageError("a step's function gave something to await: nothing was done", at=performer.at)
        return said

    def _run(self, step: Step, command: Command, deadline: float | None = None) -> CommandFinished:
        policy = self.responder.environment.topology.commands
        seconds = policy.deadline_for(command.text) if deadline is None else deadline
        accepted = policy.accepted(command.text)
        self._tell(CommandStarted(step, command, self.responder.clock.now(), seconds))
        try:
            result = self.responder.session.run(command.text, seconds, language=command.language)
        except Unbound as error:
            now = self.responder.clock.now()
            result = CommandResult(command.text, None, "", "", now, now, note=str(error), unbound=(command.text,))
        result = _with_missing_program(result, accepted)
        finished = CommandFinished(step, command, result, not result.unbound and result.exit_code in accepted)
        self.commands.append(finished)
        self._tell(finished)
        return finished

    def _tell(self, notification: Notification) -> None:
        self.responder.listen(notification)


def _with_missing_program(result: CommandResult, accepted: frozenset[int]) -> CommandResult:
    """Count an exit code of 127 as unbound: whatever the command was, the last thing it tried to run does not exist."""
    if result.exit_code == NOT_FOUND and not result.unbound and NOT_FOUND not in accepted:
        return replace(result, unbound=(result.text,))
    return result


def _is_bad(step: StepFinished) -> bool:
    return step.outcome in (StepOutcome.FAILED, StepOutcome.UNBOUND)


def _failure(result: CommandResult) -> str:
    how = "hit its deadline" if result.timed_out else f"exit code {result.exit_code}"
    first = result.text.partition("\n")[0]
    return f"{first}: {how}" + (f" ({result.note})" if result.note else "")


def _words(said: object, performer: Performer) -> str:
    if said is None or isinstance(said, str):
        return said or ""
    raise UsageError(f"@manual({performer.text!r}) gives {said!r}; it may give words or nothing", at=performer.at)


def _choice(said: object, performer: Performer) -> tuple[bool, str]:
    match said:
        case bool():
            return said, ""
        case (bool() as taken, str() as reason):
            return taken, reason
    raise UsageError(
        f"@decision({performer.text!r}) gives {said!r}; it must give True or False, or one of them and a reason",
        at=performer.at,
    )

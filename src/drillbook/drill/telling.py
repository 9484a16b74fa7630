"""Put what the responder tells on the timeline, in the journal's own terms."""

from __future__ import annotations

from dataclasses import asdict

from drillbook.journal import (
    ApprovalAsked,
    CommandEnded,
    CommandStarted,
    DecisionTaken,
    Event,
    PersonCalled,
    StepEnded,
    StepStarted,
)
from drillbook.responder import report
from drillbook.runbook.model import Section


def tell(section: Section, told: report.Notification) -> Event:  # noqa: PLR0911 - one for each kind of notification
    """Give the event for one notification of a responder who follows `section`."""
    match told:
        case report.StepStarted():
            step, target = told.step, section.target_for(told.step)
            seconds = target.seconds if target else None
            return StepStarted(told.section, step.title, step.kind.value, step.line, told.at, told.allowed, seconds)
        case report.CommandStarted():
            return CommandStarted(told.step.title, told.command.text, told.command.line, told.at, told.deadline)
        case report.CommandFinished():
            return _command(told)
        case report.DecisionTaken():
            return DecisionTaken(told.step.title, told.taken, told.reason, told.at)
        case report.PersonCalled():
            return PersonCalled(told.step.title, **asdict(told.answer))
        case report.ApprovalAsked():
            return ApprovalAsked(told.step.title, **asdict(told.approval))
        case report.StepFinished():
            return _step(section, told)


def _command(told: report.CommandFinished) -> CommandEnded:
    result = told.result
    return CommandEnded(
        told.step.title,
        told.command.text,
        told.command.line,
        result.exit_code,
        told.accepted,
        result.started,
        result.finished,
        result.stdout,
        result.stderr,
        result.timed_out,
        result.note,
        result.unbound,
    )


def _step(section: Section, told: report.StepFinished) -> StepEnded:
    step, target = told.step, section.target_for(told.step)
    return StepEnded(
        told.section,
        step.title,
        step.kind.value,
        step.line,
        told.outcome.value,
        told.started,
        told.at,
        told.allowed,
        told.detail,
        target.seconds if target else None,
    )

"""One sentence for every event, the same while a drill runs and in its report, so that evidence reads alike everywhere."""

from __future__ import annotations

import re

from drillbook.journal.events import (
    ApprovalAsked,
    CheckMade,
    CommandEnded,
    CommandStarted,
    DecisionTaken,
    DrillFinished,
    DrillStarted,
    EnvironmentPart,
    EnvironmentReset,
    Event,
    FaultHealed,
    FaultInjected,
    FaultOmitted,
    InvariantChecked,
    JudgeCrashed,
    LoadBroken,
    LoadMeasured,
    LoadStarted,
    Note,
    ObjectiveSet,
    Observed,
    PersonCalled,
    Record,
    RequestEnded,
    RunbookRead,
    RunFinished,
    RunStarted,
    ScenarioLeftOut,
    SteadyStateChecked,
    StepEnded,
    StepStarted,
    TrafficEnded,
)
from drillbook.verdict.model import Measures

OUTPUT_LINES = 6
"""How many of a command's last lines are shown."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# What XML 1.0 forbids, and what would move a terminal's cursor; line feeds and tabs stay.
_FORBIDDEN = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def plain(text: str) -> str:
    """Give a text that a terminal and an XML file can hold: no escape sequences, no control characters."""
    unified = _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _FORBIDDEN.sub("", unified)


def seconds(value: float | None) -> str:
    """Give seconds with as many digits as say something: 0.31, 14.2, 300; a dash for None."""
    if value is None:
        return "-"
    if abs(value) < 1:
        return f"{value:.2f}"
    return f"{value:.1f}" if value != round(value) else f"{value:.0f}"


def sum_of_target(measures: Measures) -> str:
    """Give both addends and the target, so that the sum can be argued with: `14.2 + 150 of 300 s`."""
    target = "no target" if measures.target is None else f"of {seconds(measures.target)} s"
    recovered = "not recovered" if measures.recover is None else seconds(measures.recover)
    allowed = f" + {seconds(measures.allowed)}" if measures.allowed else ""
    return f"{recovered}{allowed} {target}" if measures.recover is not None else f"{recovered}, {target}"


def moment(record: Record) -> float:
    """Give when an event happened, which may be before it was written (monotonic seconds)."""
    match record.event:
        case FaultInjected(at=at) | FaultHealed(at=at) | StepStarted(at=at) | CommandStarted(at=at):
            return at
        case DecisionTaken(at=at) | ApprovalAsked(at=at) | LoadStarted(at=at) | PersonCalled(finished=at):
            return at
        case Observed(finished=at) | RequestEnded(finished=at) | CommandEnded(finished=at) | StepEnded(finished=at):
            return at
        case _:
            return record.at


def tell(event: Event) -> str:  # noqa: PLR0911, PLR0912 - one line for each kind of event
    """Say what happened, in one line without a time."""
    match event:
        case RunStarted():
            return f"Drillbook {event.version}: {event.environment}, {event.backend} backend, seed {event.seed}"
        case RunbookRead():
            return f"runbook {event.file}: {len(event.sections)} sections"
        case EnvironmentPart():
            took = f" ({seconds(event.seconds)} s)" if event.state == "ready" else ""
            return _joined(f"{event.name} {event.state}{took}", event.detail)
        case ScenarioLeftOut():
            return f"left out: {event.name} ({event.feature}:{event.line}): {event.reason}"
        case DrillStarted():
            return f"drill: {event.name} ({event.feature}:{event.line})"
        case EnvironmentReset():
            return _joined(f"environment reset in {seconds(event.seconds)} s", *event.problems)
        case SteadyStateChecked():
            if event.problems:
                return _joined("no steady state", *event.problems)
            return f"steady state: {len(event.probes)} probes good after {seconds(event.seconds)} s"
        case RequestEnded():
            status = f" status {event.status}" if event.status else ""
            return _joined(f"request {event.key} {event.outcome}{status}", event.error)
        case TrafficEnded():
            return _joined(f"traffic ended: {event.sent} sent, {event.acknowledged} acknowledged", event.error)
        case LoadStarted():
            of = "arrivals a second" if event.model == "open" else "users"
            how = f"{event.model} model, {event.shape}, {event.level:g} {of}, {seconds(event.duration)} s"
            return f"load {event.load} begins: {how}" + (f", {event.workers} workers" if event.workers else "")
        case LoadMeasured():
            return _joined(f"load {event.load}" + (f", {event.part}" if event.part else ""), event.told)
        case LoadBroken():
            return _joined(f"load {event.load} could not be measured", event.error)
        case FaultInjected():
            return f"fault {event.fault} in {event.target}" + _parameters(event)
        case FaultOmitted():
            return f"fault {event.fault} in {event.target} omitted by request"
        case FaultHealed():
            how = "NOT healed" if event.error else "healed"
            return _joined(f"fault {event.fault} in {event.target} {how}", event.error)
        case Observed():
            if event.crashed:
                return _joined(f"probe {event.probe} crashed", _last_line(event.error))
            return _joined(f"probe {event.probe} {'good' if event.ok else 'bad'}", event.error)
        case StepStarted():
            return f"step ({event.kind}): {event.title}"
        case CommandStarted():
            return f"$ {_one_line(event.text)}"
        case CommandEnded():
            return _command(event)
        case DecisionTaken():
            return _joined(f"decision at {event.step}: {'yes' if event.taken else 'no'}", event.reason)
        case PersonCalled():
            return _person(event)
        case ApprovalAsked():
            return f"{event.name} was asked: {_one_line(event.question)}: {event.answer}"
        case StepEnded():
            allowed = f", {seconds(event.allowed)} s allowed" if event.allowed else ""
            return _joined(f"step {event.outcome}{allowed}: {event.title}", event.detail)
        case ObjectiveSet():
            missed = "" if event.recovers else ", expected to be missed"
            return f"target {seconds(event.target)} s ({event.source}){missed}"
        case InvariantChecked():
            return _joined(f"invariant {event.outcome.value}: {event.name}", event.detail)
        case CheckMade():
            return _joined(f"check {event.outcome.value}: {event.text}", event.detail)
        case Note():
            return event.text
        case JudgeCrashed():
            return _joined("the judge crashed", _last_line(event.traceback))
        case DrillFinished():
            return f"verdict {event.outcome.value} after {seconds(event.seconds)} s"
        case RunFinished():
            return f"run ended, exit code {event.exit_code}" + (", interrupted" if event.interrupted else "")


def output_of(event: Event) -> list[str]:
    """Give the lines below an event: a command's last output, a crash's traceback."""
    match event:
        case CommandEnded():
            lines = [*plain(event.stdout).split("\n"), *plain(event.stderr).split("\n")]
            return [line for line in lines if line.strip()][-OUTPUT_LINES:]
        case JudgeCrashed(traceback):
            return plain(traceback).rstrip().split("\n")
        case Observed(crashed=True):
            return plain(event.error).rstrip().split("\n")
        case _:
            return []


def _command(event: CommandEnded) -> str:
    """Say which command, at which line of the runbook, ended how."""
    if event.unbound:
        how = f"unbound ({', '.join(event.unbound)})"
    elif event.timed_out or event.exit_code is None:
        how = "ended by its deadline" if event.timed_out else "ended"
    else:
        how = f"exit {event.exit_code}"
    took = f"after {seconds(event.finished - event.started)} s"
    return _joined(f"{how} {took}, line {event.line}: {_one_line(event.text)}", event.note)


def _person(event: PersonCalled) -> str:
    """Say who was called, what they did, and on whose clock."""
    how = "acknowledged" if event.acknowledged else "passed over"
    took = f"after {seconds(round(event.waited, 1))} s"
    if event.factor != 1:
        took += f" of people's time, which runs {event.factor:g} times as fast"
    return f"called {event.name} ({event.number}): {how} {took}"


def _parameters(event: FaultInjected) -> str:
    given = ", ".join(f"{name} {value}" for name, value in event.parameters.items())
    return f" ({given})" if given else ""


def _joined(head: str, *details: str) -> str:
    said = "; ".join(_one_line(detail) for detail in details if detail.strip())
    return f"{head}: {said}" if said else head


def _one_line(text: str) -> str:
    return " ".join(plain(text).split())


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]

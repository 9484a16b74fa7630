"""Timelines for the judge, built from real events: a drill of which each test changes one thing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from drillbook.journal import (
    CheckMade,
    DrillStarted,
    EnvironmentReset,
    Event,
    FaultHealed,
    FaultInjected,
    InvariantChecked,
    ObjectiveSet,
    Observed,
    Record,
    RequestEnded,
    SteadyStateChecked,
    StepEnded,
    Timeline,
    TrafficEnded,
)
from drillbook.verdict.model import Outcome

FAULT_AT = 100.0
PROBES = ("api", "frontend")


def timeline(events: Iterable[Event]) -> Timeline:
    """Number events as a journal does."""
    return tuple(Record(seq, "", 0.0, "f::d", "main", event) for seq, event in enumerate(events, 1))


def look(at: float, ok: bool = True, probe: str = "api", *, took: float = 0.01, error: str = "") -> Observed:
    """Give a look that starts `at` seconds after the fault."""
    return Observed(probe, ok, FAULT_AT + at, FAULT_AT + at + took, error or ("" if ok else "status 503"))


def looks(pattern: str, probe: str = "api", *, every: float = 0.5, since: float = 0.5) -> list[Event]:
    """Give looks from a pattern of `+` (good), `-` (bad) and `!` (crashed), the first `since` seconds after the fault."""
    found: list[Event] = []
    for number, sign in enumerate(pattern):
        made = look(since + number * every, sign == "+", probe)
        found.append(replace(made, crashed=sign == "!", error="" if sign == "+" else "Traceback:\n  Boom: it broke"))
    return found


def step(at: float, allowed: float, outcome: str = "done", title: str = "Call") -> StepEnded:
    """Give a manual step that a person begins `at` seconds after the fault."""
    return StepEnded("Outage", title, "manual", 9, outcome, FAULT_AT + at, FAULT_AT + at + 0.1, allowed)


_RESET = EnvironmentReset(0.1)
_STEADY = SteadyStateChecked(0.3, PROBES)
OBJECTIVE = ObjectiveSet("Outage", 300.0, "runbook line 7", PROBES, 3)
FAULT = FaultInjected("link-down", "api-database", FAULT_AT)
HEALED = FaultHealed("link-down", "api-database", FAULT_AT + 5.0)


@dataclass(frozen=True)
class Story:
    """A drill that passes: the API breaks with the fault and is back 2 s later; allowed: 60 s; target: 300 s."""

    reset: EnvironmentReset | None = _RESET
    steady: SteadyStateChecked | None = _STEADY
    objective: ObjectiveSet | None = OBJECTIVE
    fault: Event | None = FAULT
    seen: tuple[Event, ...] = (*looks("---++++"), *looks("+++++++", "frontend"))
    steps: tuple[Event, ...] = (step(0.5, 60.0),)
    traffic: tuple[Event, ...] = (
        RequestEnded("acknowledged", "o-1", FAULT_AT - 1, FAULT_AT - 0.9, 201),
        RequestEnded("acknowledged", "o-2", FAULT_AT + 3, FAULT_AT + 3.1, 201),
        TrafficEnded(2, 2),
    )
    checks: tuple[Event, ...] = (
        CheckMade("the team was alerted", Outcome.PASS),
        InvariantChecked("acknowledged requests are kept", Outcome.PASS),
    )
    healed: tuple[Event, ...] = (HEALED,)
    tags: tuple[str, ...] = ()

    def timeline(self, *more: Event) -> Timeline:
        """Give it as events, `more` at its end."""
        before = (DrillStarted("d", "f", 1, self.tags), self.reset, self.steady, self.objective, self.fault)
        told = (*before, *self.steps, *self.seen, *self.traffic, *self.checks, *self.healed, *more)
        return timeline(event for event in told if event is not None)

"""When did service break, and when did it come back for good? Read from the probes' observations alone.

A probe is restored at the first of its last unbroken streak of good looks, if that streak is long enough: a service that
flaps has not recovered. Service is restored when the last of the probes that felt the fault is. Looks are taken in the order
in which they started, for those that a frozen service held up end together.
"""

from __future__ import annotations

from dataclasses import dataclass

from drillbook.journal.events import (
    CommandStarted,
    DecisionTaken,
    ObjectiveSet,
    Observed,
    Record,
    StepEnded,
    Timeline,
)
from drillbook.verdict.model import Measures
from drillbook.verdict.timeline import each, fault_time, looks

Look = tuple[Record, Observed]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What the probes saw after the fault, in seconds after it; None for what did not happen.

    `felt_by` are the probes that saw it, `still_bad` those not restored at the end; `evidence` the records that show it.
    """

    measures: Measures
    felt_by: tuple[str, ...]
    still_bad: tuple[str, ...]
    evidence: tuple[int, ...]


def recovery(timeline: Timeline, objective: ObjectiveSet) -> Recovery:
    """Measure detection, action and recovery against an objective's probes."""
    start = fault_time(timeline)
    if start is None:
        return Recovery(Measures(target=objective.target), (), (), ())
    seen = {probe: _since(start, found) for probe, found in looks(timeline).items() if probe in objective.probes}
    bad = {probe: [look for look in found if not look[1].ok and not look[1].crashed] for probe, found in seen.items()}
    felt = [probe for probe in seen if bad[probe]]
    restored = {probe: _restored(seen[probe], objective.consecutive) for probe in felt}
    moments = [look for look in restored.values() if look is not None]
    recovered = max(moments, key=lambda look: look[1].finished) if moments and len(moments) == len(felt) else None
    earliest = min((look for found in bad.values() for look in found), key=lambda look: look[1].finished, default=None)
    measures = Measures(
        detect=earliest[1].finished - start if earliest else None,
        act=_acted(timeline, start),
        recover=recovered[1].finished - start if recovered else None,
        allowed=_allowed(timeline, objective.target, start, recovered[1].finished if recovered else None),
        target=objective.target,
    )
    evidence = [look[0].seq for look in (earliest, recovered) if look]
    still_bad = tuple(probe for probe, look in restored.items() if look is None)
    return Recovery(measures, tuple(felt), still_bad, tuple(evidence))


def false_returns(found: list[Look], start: float, consecutive: int) -> list[Look]:
    """Give the last look of each streak of good ones that was long enough, yet ended in a bad one."""
    ended, streak = list[Look](), list[Look]()
    broken = False
    for look in _since(start, found):
        if look[1].ok:
            streak.append(look)
            continue
        if broken and len(streak) >= consecutive:
            ended.append(streak[-1])
        streak, broken = [], True
    return ended


def _since(start: float, found: list[Look]) -> list[Look]:
    return [look for look in found if look[1].finished >= start]


def _restored(found: list[Look], consecutive: int) -> Look | None:
    """Give the first look of the last streak of good ones, if that is long enough."""
    streak: list[Look] = []
    for look in found:
        streak = [*streak, look] if look[1].ok and len(streak) < consecutive else streak if look[1].ok else []
    return streak[0] if len(streak) >= consecutive else None


def _acted(timeline: Timeline, start: float) -> float | None:
    """Give when the responder first acted: the first command of a decision that was taken, else the first command."""
    taken = {event.step for _, event in each(timeline, DecisionTaken) if event.taken}
    commands = [event for _, event in each(timeline, CommandStarted) if event.at >= start]
    acts = [event for event in commands if event.step in taken] or commands
    return acts[0].at - start if acts else None


def _allowed(timeline: Timeline, target: float, start: float, recovered: float | None) -> float:
    """Sum the time granted to people for the steps that they took between the fault and recovery.

    A step that the runbook puts under a longer target (a follow-up) is not part of what this one promises.
    """
    ends = float("inf") if recovered is None else recovered
    steps = (event for _, event in each(timeline, StepEnded) if event.outcome != "omitted")
    due = (step for step in steps if step.target is None or step.target <= target)
    return sum(step.allowed for step in due if start <= step.started <= ends)

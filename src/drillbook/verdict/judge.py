"""The verdict over one drill: fail dominates unknown, unknown dominates pass, and nothing passes unchecked.

First the premises: without a steady state, a fault in force and a probe that felt it, the drill may claim nothing, whatever
else was seen. Then everything that was promised: recovery in time, the scenario's checks, the invariants. Last what could not
be known: a probe that crashed, a step that nothing performs, a fault that did not heal.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from drillbook.journal.events import (
    CheckMade,
    DrillStarted,
    EnvironmentReset,
    FaultHealed,
    FaultInjected,
    FaultOmitted,
    InvariantChecked,
    JudgeCrashed,
    LoadBroken,
    ObjectiveSet,
    Observed,
    Record,
    RequestEnded,
    SteadyStateChecked,
    StepEnded,
    Timeline,
    TrafficEnded,
)
from drillbook.tags import NO_FAULT, words_of_tag
from drillbook.verdict.model import Measures, Outcome, Reason, Verdict
from drillbook.verdict.recovery import Recovery, recovery
from drillbook.verdict.timeline import each, fault_time, first, looks, objective

BLIND_SECONDS = 1.0
"""A gap between looks longer than this leaves the moment of recovery unknown."""
PASS, FAIL, UNKNOWN = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN


def judge(timeline: Timeline) -> Verdict:
    """Judge a drill by its timeline."""
    promised = objective(timeline)
    watched = promised or _steady_state(timeline)
    seen = recovery(timeline, watched) if watched else None
    measures = seen.measures if seen and promised else Measures()
    void = [*_premises(timeline, seen)]
    if void:
        return Verdict(UNKNOWN, tuple(void), measures)
    reasons = [*_promises(timeline, promised, seen), *_doubts(timeline)]
    return Verdict(Outcome.worst(reason.outcome for reason in reasons), tuple(reasons), measures)


def _steady_state(timeline: Timeline) -> ObjectiveSet | None:
    """Give the steady state's probes as what a fault must be felt by, where a scenario promises no recovery."""
    probes = tuple(probe for _, steady in each(timeline, SteadyStateChecked) for probe in steady.probes)
    return ObjectiveSet("", math.inf, "the steady state", probes, 1) if probes else None


def _premises(timeline: Timeline, seen: Recovery | None) -> Iterator[Reason]:
    """Say why this drill may claim nothing; nothing if it may."""
    for record, reset in each(timeline, EnvironmentReset):
        for problem in reset.problems:
            yield Reason(UNKNOWN, f"the environment could not be reset: {problem}", (record.seq,))
    steady = list(each(timeline, SteadyStateChecked))
    if not steady:
        yield Reason(UNKNOWN, "the steady state was never checked, so nothing shows that the fault broke anything")
    for record, checked in steady:
        for problem in checked.problems:
            yield Reason(UNKNOWN, f"no steady state before the fault: {problem}", (record.seq,))
    for record, omitted in each(timeline, FaultOmitted):
        what = f"{omitted.fault} of {omitted.target}" if omitted.target else omitted.fault
        yield Reason(UNKNOWN, f"the fault was left out by request: {what}", (record.seq,))
    injected, breaks_nothing = first(timeline, FaultInjected), _breaks_nothing(timeline)
    if injected is None:
        if not breaks_nothing and not any(True for _ in each(timeline, FaultOmitted)):
            yield Reason(UNKNOWN, "no fault was injected, so nothing was recovered from")
    elif breaks_nothing:
        yield Reason(
            UNKNOWN, f"its tag says that it breaks nothing ({breaks_nothing}), but it does", (injected[0].seq,)
        )
    elif seen is not None and not seen.felt_by and not any(check.sensor for _, check in each(timeline, CheckMade)):
        fault = injected[1]
        text = f"no probe felt the fault ({fault.fault} of {fault.target}): it may have broken nothing"
        yield Reason(UNKNOWN, text, (injected[0].seq,))


def _breaks_nothing(timeline: Timeline) -> str:
    """Give why a scenario has no fault, as its tag says; "" if it must have one."""
    started = first(timeline, DrillStarted)
    return words_of_tag(started[1].tags if started else (), NO_FAULT)


def _promises(timeline: Timeline, promised: ObjectiveSet | None, seen: Recovery | None) -> Iterator[Reason]:
    if promised is None or seen is None:
        if not any(True for _ in each(timeline, CheckMade)):
            yield Reason(UNKNOWN, "the scenario checks nothing")
    else:
        yield _in_time(promised, seen) if promised.recovers else _missed(promised, seen)
    for record, check in each(timeline, CheckMade):
        text = f"{check.text}: {check.detail}" if check.detail else check.text
        yield Reason(check.outcome, text, (*check.events, record.seq))
    for record, invariant in each(timeline, InvariantChecked):
        yield Reason(invariant.outcome, f"{invariant.name}: {invariant.detail or invariant.outcome}", (record.seq,))


def _in_time(promised: ObjectiveSet, seen: Recovery) -> Reason:
    measures = seen.measures
    if measures.recover is None or measures.total is None:
        return Reason(FAIL, f"service did not come back: {_names(seen.still_bad)} still bad at the end", seen.evidence)
    text = f"restored {measures.recover:.1f} s after the fault, with {measures.allowed:.0f} s allowed to people: "
    text += f"{measures.total:.1f} of {promised.target:.0f} s ({promised.source})"
    return Reason(PASS if measures.total <= promised.target else FAIL, text, seen.evidence)


def _missed(promised: ObjectiveSet, seen: Recovery) -> Reason:
    """Judge a scenario that says that recovery fails: then a recovery in time is what it did not expect."""
    total = seen.measures.total
    if total is not None and total <= promised.target:
        return Reason(FAIL, f"service came back in {total:.1f} s, but the scenario says that it can't", seen.evidence)
    return Reason(PASS, f"recovery failed as expected: {_names(seen.still_bad) or 'it came too late'}", seen.evidence)


def _doubts(timeline: Timeline) -> Iterator[Reason]:
    """Say what could not be known."""
    crashed: dict[str, tuple[Record, Observed]] = {}
    for record, look in each(timeline, Observed):
        if look.crashed:
            crashed.setdefault(look.probe, (record, look))
    for probe, (record, look) in crashed.items():
        yield Reason(UNKNOWN, f"the probe {probe} crashed: {_last_line(look.error)}", (record.seq,))
    for record, step in each(timeline, StepEnded):
        if step.outcome == "unbound":
            yield Reason(UNKNOWN, f"nothing performs the step {step.title!r}: {step.detail}", (record.seq,))
    for record, healed in each(timeline, FaultHealed):
        if healed.error:
            yield Reason(
                UNKNOWN, f"{healed.fault} of {healed.target} could not be healed: {healed.error}", (record.seq,)
            )
    for record, load in each(timeline, LoadBroken):
        yield Reason(UNKNOWN, f"the load {load.load} could not be measured: {load.error}", (record.seq,))
    for record, crash in each(timeline, JudgeCrashed):
        yield Reason(UNKNOWN, f"the drill broke off: {_last_line(crash.traceback)}", (record.seq,))
    yield from _blindness(timeline)
    yield from _silence(timeline)


def _blindness(timeline: Timeline) -> Iterator[Reason]:
    """Say which probes did not look for too long between the fault and the last look of any."""
    start, found, promised = fault_time(timeline), looks(timeline), objective(timeline)
    if start is None:
        return
    for probe in promised.probes if promised else ():
        if probe not in found:
            yield Reason(UNKNOWN, f"{probe} never looked, so nothing is known of what it watches")
    # When the last look began: one that hangs to its time-out ends long after all have stopped looking.
    ends = max((look.started for seen in found.values() for _, look in seen), default=start)
    for probe, seen in found.items():
        after = [(record, look) for record, look in seen if look.finished >= start]
        begun = [start, *(look.started for _, look in after)]
        gaps = [later - sooner for sooner, later in itertools.pairwise(begun)]
        gaps.append(ends - max((look.finished for _, look in after), default=start))
        if max(gaps) > BLIND_SECONDS:
            shown = tuple(record.seq for record, _ in after[gaps.index(max(gaps)) :][:1])
            yield Reason(UNKNOWN, f"{probe} did not look for {max(gaps):.1f} s: the machine was starved", shown)


def _silence(timeline: Timeline) -> Iterator[Reason]:
    """A drill with traffic of which nothing was ever acknowledged has not shown that orders survive."""
    ended, requests = first(timeline, TrafficEnded), list(each(timeline, RequestEnded))
    if ended is None:
        if requests:
            yield Reason(UNKNOWN, "the traffic never said that it ended", (requests[-1][0].seq,))
        return
    if ended[1].error:
        yield Reason(UNKNOWN, f"the traffic broke off: {ended[1].error}", (ended[0].seq,))
    if not any(request.outcome == "acknowledged" for _, request in requests):
        yield Reason(UNKNOWN, "no request of the traffic was ever acknowledged", (ended[0].seq,))


def _names(probes: tuple[str, ...]) -> str:
    return ", ".join(probes)


def _last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2].strip()

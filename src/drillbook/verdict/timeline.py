"""Questions that checks ask of a timeline; each answer keeps the record, so that a reason can cite it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from drillbook.journal.events import FaultHealed, FaultInjected, ObjectiveSet, Observed, Record, Timeline

E = TypeVar("E")


def each(timeline: Timeline, kind: type[E]) -> Iterator[tuple[Record, E]]:
    """Give the records of one kind of event, with the event."""
    return ((record, record.event) for record in timeline if isinstance(record.event, kind))


def first(timeline: Timeline, kind: type[E]) -> tuple[Record, E] | None:
    """Give the first record of a kind."""
    return next(each(timeline, kind), None)


def fault_time(timeline: Timeline) -> float | None:
    """Give the moment at which the drill's clock starts: the first fault's."""
    found = first(timeline, FaultInjected)
    return found[1].at if found else None


def objective(timeline: Timeline) -> ObjectiveSet | None:
    """Give what recovery is judged by: what the scenario set last."""
    found = list(each(timeline, ObjectiveSet))
    return found[-1][1] if found else None


def looks(timeline: Timeline) -> dict[str, list[tuple[Record, Observed]]]:
    """Give each probe's observations by the order in which they started, up to the harness's own healing.

    What turns good because the harness cleaned up is no recovery.
    """
    ends = min((event.at for _, event in each(timeline, FaultHealed) if not event.scripted), default=float("inf"))
    found: dict[str, list[tuple[Record, Observed]]] = {}
    for record, event in each(timeline, Observed):
        if event.started < ends:
            found.setdefault(event.probe, []).append((record, event))
    for seen in found.values():
        seen.sort(key=lambda item: item[1].started)
    return found

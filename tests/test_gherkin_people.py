"""What the words about people on call count: the drill's seconds outside calls, and people's seconds within them."""

from __future__ import annotations

import pytest

from drillbook.gherkin.people import calls, elapsed
from drillbook.journal.events import Event, FaultInjected, PersonCalled, Record, StepStarted, Timeline

FACTOR = 1000.0


def timeline(*events: Event) -> Timeline:
    return tuple(Record(seq, "", 0.0, "a drill", "main", event) for seq, event in enumerate(events, 1))


def called(contact: str, at: float, waited: float, *, acknowledged: bool) -> PersonCalled:
    return PersonCalled("Call", contact, contact, "1", "x", at, at + waited / FACTOR, waited, acknowledged, FACTOR)


STEP = StepStarted("Escalation", "Post the alert", "manual", 1, 12.0, 0.0)
PRIMARY = called("primary", 14.0, 300.0, acknowledged=False)
SECONDARY = called("secondary", 15.0, 60.0, acknowledged=True)


def test_time_counts_from_the_fault_and_takes_in_all_who_were_waited_for() -> None:
    found = timeline(FaultInjected("link-down", "x", 10.0), STEP, PRIMARY, SECONDARY)
    machine, people = elapsed(found, SECONDARY)
    assert people == 360.0
    assert machine == pytest.approx(15.06 - 10.0 - 0.3 - 0.06)


def test_without_a_fault_it_counts_from_the_first_step() -> None:
    machine, people = elapsed(timeline(STEP, PRIMARY, SECONDARY), PRIMARY)
    assert people == 300.0
    assert machine == pytest.approx(2.0)


def test_calls_are_found_by_contact() -> None:
    found = timeline(STEP, PRIMARY, SECONDARY)
    assert [call.contact for _, call in calls(found)] == ["primary", "secondary"]
    assert [record.seq for record, _ in calls(found, "secondary")] == [3]

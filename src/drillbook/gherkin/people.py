"""Given, When and Then about the people on call: how fast their time runs, who picks up, who is passed over."""

from __future__ import annotations

from pytest_bdd import given, parsers, then, when

from drillbook.drill import Drill
from drillbook.faults.contact_away import ContactAway
from drillbook.journal import ApprovalAsked, PersonCalled, Record, StepStarted, Timeline
from drillbook.verdict.timeline import each, fault_time, first

Look = tuple[bool, str, tuple[int, ...]]
Called = list[tuple[Record, PersonCalled]]


@given(parsers.parse("people's time runs {factor:d} times as fast"))
def hasten(drill: Drill, factor: int) -> None:
    """Let simulated people take so many times less of the drill's time; the report says so."""
    drill.hasten_people(factor)


@given(parsers.re(r'"(?P<contact>[^"]+)" (?P<word>approves|refuses) what they are asked'))
def answers(drill: Drill, contact: str, word: str) -> None:
    """Say what a person on call answers to whoever asks them for an approval. Without a word the drill is unknown."""
    drill.set_answer(contact, approves=word == "approves")


@when(parsers.parse('"{contact}" does not pick up'))
def away(drill: Drill, contact: str) -> None:
    """Let a person on call never acknowledge."""
    drill.inject(ContactAway(contact))


@when(parsers.parse('"{contact}" picks up only after {minutes:d} minutes'))
def late(drill: Drill, contact: str, minutes: int) -> None:
    """Let a person on call acknowledge so late, in minutes of their own time."""
    drill.inject(ContactAway(contact, minutes * 60.0))


@then(parsers.parse('"{contact}" acknowledges within {minutes:d} minutes'))
def acknowledges(drill: Drill, contact: str, minutes: int) -> None:
    """See that a person acknowledged in time: since the fault, what machines took and what people took together."""

    def look() -> Look:
        found = [(r, c) for r, c in calls(drill.timeline, contact) if c.acknowledged]
        if not found:
            return False, _told(calls(drill.timeline)), _places(calls(drill.timeline))
        record, call = found[0]
        machine, people = elapsed(drill.timeline, call)
        detail = f"{machine:.1f} s of the drill + {people:.0f} s of people's time, of {minutes * 60} s"
        return machine + people <= minutes * 60, detail, (record.seq,)

    drill.check(f"{contact} acknowledges within {minutes} minutes", look)


@then(parsers.parse('"{contact}" is passed over after {minutes:d} minutes'))
def passed_over(drill: Drill, contact: str, minutes: int) -> None:
    """See that a person was called, given so many minutes of their time, no fewer, and then given up."""

    def look() -> Look:
        found, declared = calls(drill.timeline, contact), drill.environment.topology.people.contacts[contact]
        if declared.passed_over_after != minutes * 60:
            return False, f"the environment file grants {declared.passed_over_after:.0f} s", ()
        held = bool(found) and all(not c.acknowledged and c.waited >= minutes * 60 for _, c in found)
        return held, _told(found), _places(found)

    drill.check(f"{contact} is passed over after {minutes} minutes", look)


@then(parsers.parse('"{contact}" is called first'))
def called_first(drill: Drill, contact: str) -> None:
    """See that of all people on call this one was called before any other."""

    def look() -> Look:
        found = calls(drill.timeline)
        return bool(found) and found[0][1].contact == contact, _told(found), _places(found[:1])

    drill.check(f"{contact} is called first", look)


@then(parsers.parse('"{contact}" is not called'))
def not_called(drill: Drill, contact: str) -> None:
    """See that others were called, and this one was left in peace."""

    def look() -> Look:
        found = calls(drill.timeline, contact)
        return bool(calls(drill.timeline)) and not found, _told(calls(drill.timeline)), _places(found)

    drill.check(f"{contact} is not called", look)


@then(parsers.re(r'"(?P<contact>[^"]+)" is asked and (?P<answer>approves|refuses|does not answer)'))
def asked(drill: Drill, contact: str, answer: str) -> None:
    """See that a person was asked for an approval, and what they answered each time."""
    wanted = {"approves": "approved", "refuses": "refused", "does not answer": "no-answer"}[answer]

    def look() -> Look:
        found = [(r, a) for r, a in each(drill.timeline, ApprovalAsked) if a.contact == contact]
        told = "; ".join(f"{a.question}: {a.answer}" for _, a in found) or "nobody was asked"
        return {a.answer for _, a in found} == {wanted}, told, tuple(r.seq for r, _ in found)

    drill.check(f"{contact} is asked and {answer}", look)


def calls(timeline: Timeline, contact: str = "") -> Called:
    """Give the calls of a drill, those to one contact or all, in order."""
    return [(record, call) for record, call in each(timeline, PersonCalled) if contact in ("", call.contact)]


def elapsed(timeline: Timeline, until: PersonCalled) -> tuple[float, float]:
    """Give the seconds up to the end of a call: the drill's own outside calls, and people's within them.

    They count from the fault, or from the responder's first step where nothing was broken.
    """
    started = first(timeline, StepStarted)
    zero = fault_time(timeline) or (started[1].at if started else until.at)
    within = [call for _, call in calls(timeline) if call.finished <= until.finished]
    people = sum(call.waited for call in within)
    return until.finished - zero - sum(call.finished - call.at for call in within), people


def _told(found: Called) -> str:
    said = (f"{c.contact} {'acknowledged' if c.acknowledged else 'passed over'} at {c.waited:.0f} s" for _, c in found)
    return ", ".join(said) or "nobody was called"


def _places(found: Called) -> tuple[int, ...]:
    return tuple(record.seq for record, _ in found)
